"""Great Expectations' site of pages, without anything of another host: its styles are this project's, in each page.

The library's own templates take styles, scripts, icons and a logo from other hosts, and ask for subscribers. It imports
this module by the names in `SITE`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from great_expectations.render.renderer.site_builder import SiteBuilder
from great_expectations.render.view.view import DefaultJinjaIndexPageView, DefaultJinjaPageView
from jinja2 import ChoiceLoader, FileSystemLoader

TEMPLATES = Path(__file__).parent / "page_templates"
NAME = "local_site"
_PAGE = {"module_name": __name__, "class_name": "OfflinePage"}
SITE: dict[str, Any] = {
    "module_name": __name__,
    "class_name": "OfflineSite",
    "show_how_to_buttons": False,
    "store_backend": {
        "class_name": "TupleFilesystemStoreBackend",
        "base_directory": f"uncommitted/data_docs/{NAME}/",
    },
    "site_index_builder": {
        "class_name": "DefaultSiteIndexBuilder",
        "view": {"module_name": __name__, "class_name": "OfflineIndexPage"},
    },
    "site_section_builders": {section: {"view": _PAGE} for section in ("expectations", "validations", "profiling")},
}
"""Configuration of the site in Great Expectations' context."""


class OfflineSite(SiteBuilder):
    """A site whose pages need nothing beside them."""

    def build(self, resource_identifiers: Any = None, build_index: bool = True) -> Any:
        """Write the pages of `resource_identifiers`, or all, and the index; return its address and its links.

        The library's own method also copies its fonts, images and styles, of which no page here has a use.
        """
        for section in self.site_section_builders.values():
            section.build(resource_identifiers=resource_identifiers)
        _, links = self.site_index_builder.build(build_index=build_index)
        return self.get_resource_url(only_if_exists=False), links


class OfflinePage(DefaultJinjaPageView):
    """A page by this project's templates, and where it has none by the library's."""

    def __init__(self, custom_styles_directory: Any = None, custom_views_directory: Any = None) -> None:
        super().__init__(custom_styles_directory, custom_views_directory)
        own, library = FileSystemLoader(TEMPLATES), self.env.loader
        self.env.loader = ChoiceLoader([own, library]) if library else own


class OfflineIndexPage(OfflinePage, DefaultJinjaIndexPageView):
    """The index by this project's templates."""
