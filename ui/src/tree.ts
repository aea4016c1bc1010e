/** The plant as the rows of a tree. Pure. */
import type { Asset } from './api';

export interface TreeRow { asset: Asset; depth: number; hasChildren: boolean }

/**
 * Parents before children, children by name. A search keeps what fits and the way to it, and opens everything.
 * An asset whose parent is not in the list stands at the root.
 */
export function treeRows(assets: readonly Asset[], closed: ReadonlySet<number>, search: string): TreeRow[] {
  const wanted = search.trim().toLowerCase();
  const ids = new Set(assets.map((asset) => asset.id));
  const children = new Map<number | null, Asset[]>();
  for (const asset of assets) {
    const parent = asset.parent != null && ids.has(asset.parent) ? asset.parent : null;
    const list = children.get(parent);
    if (list) list.push(asset);
    else children.set(parent, [asset]);
  }
  for (const list of children.values()) list.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));

  const out: TreeRow[] = [];
  const fits = (asset: Asset): boolean => asset.path.toLowerCase().includes(wanted) || (children.get(asset.id) ?? []).some(fits);
  const walk = (parent: number | null, depth: number) => {
    for (const asset of children.get(parent) ?? []) {
      if (wanted && !fits(asset)) continue;
      out.push({ asset, depth, hasChildren: children.has(asset.id) });
      if (wanted || !closed.has(asset.id)) walk(asset.id, depth + 1);
    }
  };
  walk(null, 0);
  return out;
}
