"""`python -m ubiops_file_sync` is the command `ubiops-file-sync`."""

from ubiops_file_sync.cli import main

if __name__ == "__main__":
    main()
