"""The template language: lexer, parser, evaluation and printing, as Go's text/template does them."""
