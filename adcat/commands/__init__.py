"""The subcommands, as functions: artifacts in, one artifact out, nothing printed."""
