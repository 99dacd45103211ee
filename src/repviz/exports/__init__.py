"""Taking a run elsewhere: video, figures, report, and the files of other tools. Reads a run; knows no torch."""
