"""Accuracy of score maps on labelled images: data sets, figures, page; knows no scoring method."""
