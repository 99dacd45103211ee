"""Reading and writing run folders: artifacts, the sample, metrics and ``run.json``. No torch, no drawing."""
