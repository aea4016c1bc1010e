// What the first load of each screen may cost: script and style in brotli bytes, as the last build found them.
import { existsSync, readFileSync } from 'node:fs';

const LIMIT_KIB = 120;
const FILE = 'node_modules/.cache/first-load.json';
if (!existsSync(FILE)) throw new Error('run `npm run build` first');
const costs = Object.entries(JSON.parse(readFileSync(FILE, 'utf8'))).sort(([, a], [, b]) => b - a);
for (const [screen, bytes] of costs) console.log(`${(bytes / 1024).toFixed(1).padStart(6)} KiB  ${screen}`);
const over = costs.filter(([, bytes]) => bytes > LIMIT_KIB * 1024);
if (over.length > 0) throw new Error(`over the ${LIMIT_KIB} KiB of a first load: ${over.map(([screen]) => screen).join(', ')}`);
