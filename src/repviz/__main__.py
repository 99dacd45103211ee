"""``python -m repviz``."""

from repviz.cli import main

if __name__ == "__main__":
    main()
