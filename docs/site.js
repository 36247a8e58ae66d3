// Wide tables scroll on their own, so the keyboard must reach them. The theme wraps them when a page is shown.
const reach = () => document.querySelectorAll(".md-typeset__scrollwrap").forEach((table) => {
  table.tabIndex = 0;
  table.setAttribute("role", "region");
  table.setAttribute("aria-label", table.querySelector("th")?.textContent || "Table");
});
new MutationObserver(reach).observe(document.body, { childList: true, subtree: true });
reach();
// The theme gives its search a role without a name.
for (const part of document.querySelectorAll(".md-search, #__search, #__drawer")) part.setAttribute("aria-label", part.id === "__drawer" ? "Navigation" : "Search");
