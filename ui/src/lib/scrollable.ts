/** Lets the keyboard scroll what sticks out sideways, and only then. */
export function scrollable(node: HTMLElement) {
  const look = () => {
    if (node.scrollWidth > node.clientWidth) node.tabIndex = 0;
    else node.removeAttribute('tabindex');
  };
  const watcher = new ResizeObserver(look);
  watcher.observe(node);
  const changes = new MutationObserver(look);
  changes.observe(node, { childList: true, subtree: true });
  return {
    destroy: () => {
      watcher.disconnect();
      changes.disconnect();
    },
  };
}
