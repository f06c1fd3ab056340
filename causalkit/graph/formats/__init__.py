"""Graphs in the texts and objects of other programs; what a form cannot say is an error and never dropped."""
