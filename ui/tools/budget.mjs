// First load of any screen: the entry with all it imports, plus the largest page chunk, in brotli bytes.
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';

const LIMIT = 120 * 1024;
if (!existsSync('dist/index.html')) throw new Error('run `npm run build` first');
const html = readFileSync('dist/index.html', 'utf8');
const named = [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)].map((match) => match[1]);
const size = (file) => statSync(`dist/${file}.br`).size;
const others = readdirSync('dist/assets').filter((file) => /\.(js|css)$/.test(file) && !named.includes(`assets/${file}`));
const first = named.reduce((sum, file) => sum + size(file), 0);
const rest = others.reduce((sum, file) => sum + size(`assets/${file}`), 0);
console.log(`first load ${(first / 1024).toFixed(1)} KiB, all screens ${((first + rest) / 1024).toFixed(1)} KiB brotli`);
if (first + rest > LIMIT) throw new Error(`the screens are larger than ${LIMIT / 1024} KiB`);
