"""Parts of diagnostics that need a package of an extra; a module here is imported only once it is chosen."""
