"""How `make docs` builds the site: Sphinx, MyST for the pages, furo for the look, autodoc for the reference of the public names."""

from typing import Any

from django.conf import settings

import m2mguard

settings.configure()  # which Django REST framework reads when it is imported

project = "m2mguard"
author = "The m2mguard maintainers"
copyright = "2026, the m2mguard maintainers"  # noqa: A001  # Sphinx's name
version = release = m2mguard.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_design",
]
intersphinx_mapping: dict[str, Any] = {}
source_suffix = {".md": "markdown"}
nitpicky = False
default_role = "code"  # a docstring's `name` is code, as in Markdown

myst_enable_extensions = ["colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 4
copybutton_exclude = ".linenos, .gp, .go"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = "m2mguard"
html_static_path: list[str] = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "source_repository": "https://github.com/m2mguard/m2mguard/",
    "source_branch": "main",
    "source_directory": "docs/",
    "light_css_variables": {"color-brand-primary": "#1c6b35", "color-brand-content": "#1c6b35"},
    "dark_css_variables": {"color-brand-primary": "#7fd39a", "color-brand-content": "#7fd39a"},
}
