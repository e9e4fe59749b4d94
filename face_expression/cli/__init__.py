"""What the command line needs beside the core: worker processes, interruption, the commands themselves."""
