/**
 * Where the viewer is. The address is the state: who opens a shared link sees the same picture.
 */

/** The screens by their first path segment; the letter follows `g` on the keyboard. */
export const SCREENS = {
  overview: { path: '/', letter: 'o' },
  alarms: { path: '/alarms', letter: 'a' },
  performance: { path: '/performance', letter: 'p' },
  losses: { path: '/losses', letter: 'l' },
  trends: { path: '/trends', letter: 't' },
  assets: { path: '/assets', letter: 'm' },
  data: { path: '/data', letter: 'd' },
  sql: { path: '/sql', letter: 's' },
  settings: { path: '/settings', letter: 'e' },
} as const;

export type ScreenName = keyof typeof SCREENS;
export interface Route { screen: ScreenName | null; id: number | null }

/** Which screen an address means, and the identity behind it (`/assets/5`). */
export function parse(path: string): Route {
  const [head = '', tail, ...rest] = path.split('/').slice(1);
  const found = (Object.keys(SCREENS) as ScreenName[]).find((name) => SCREENS[name].path === `/${head}`);
  const holdsId = found === 'assets' || found === 'alarms';
  if (!found || rest.length > 0 || (tail && !holdsId) || (tail && !/^\d+$/.test(tail))) return { screen: null, id: null };
  return { screen: found, id: tail ? Number(tail) : null };
}

export const route = $state({ path: location.pathname, query: new URLSearchParams(location.search) });

function read() {
  route.path = location.pathname;
  route.query = new URLSearchParams(location.search);
}

/** Shows another address; `replace` leaves no step in the browser's history. */
export function go(url: string, replace = false) {
  if (replace) history.replaceState(null, '', url);
  else history.pushState(null, '', url);
  read();
  if (!replace) window.scrollTo(0, 0);
}

/** Changes parts of the query and keeps the rest; null takes a part away. */
export function setQuery(changes: Record<string, string | null>, replace = true) {
  const query = new URLSearchParams(route.query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === '') query.delete(name);
    else query.set(name, value);
  }
  const search = query.toString();
  go(route.path + (search && `?${search}`), replace);
}

/** Follows plain links inside the page without loading it again. */
export function startRouter() {
  addEventListener('popstate', read);
  document.addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (!link || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    if (link.origin !== location.origin || link.target || link.hasAttribute('download') || link.hash) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
}
