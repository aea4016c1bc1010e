// Lighthouse (mobile, as it comes) over every screen of a running Fettler; not part of CI, for it times the machine it runs on.
// FETTLER_URL=… FETTLER_PASSWORD=… node tests/ui/lighthouse.mjs [PART OF A PATH]. Installs Lighthouse into the cache on first use.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { executable, logIn, playwright, plantScreens, screens, url } from './lib.mjs';

const TARGETS = { performance: 95, accessibility: 100, 'best-practices': 100 };
const cache = join(process.env.FETTLER_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'fettler'), 'lighthouse');
if (!existsSync(join(cache, 'node_modules/lighthouse'))) {
  mkdirSync(cache, { recursive: true });
  execFileSync('npm', ['install', '--prefix', cache, '--no-audit', '--no-fund', '--loglevel=error', 'lighthouse@~12.8'], { stdio: 'inherit' });
}
const { default: lighthouse } = await import(pathToFileURL(createRequire(join(cache, 'x.js')).resolve('lighthouse')).href);

/** The first elements that an audit names. */
const nodes = (audit) => (audit.details?.items ?? []).filter((item) => item.node).slice(0, 3).map(({ node }) => `\n           ${node.selector}  ${node.snippet.slice(0, 100)}`).join('');

const port = await new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});
const profile = mkdtempSync(join(tmpdir(), 'fettler-lighthouse-'));
// Lighthouse opens its own tab: it is logged in only where the profile is.
const context = await playwright.launchPersistentContext(profile, {
  executablePath: executable(), locale: 'en-GB', args: ['--no-sandbox', '--disable-dev-shm-usage', `--remote-debugging-port=${port}`],
});
let n_missed = 0;
try {
  const page = await context.newPage();
  await logIn(page);
  const paths = [...screens.filter((path) => !path.includes('?')), ...(await plantScreens(page))].filter((path) => path.includes(process.argv[2] ?? ''));
  for (const path of paths) {
    const { lhr } = await lighthouse(url + path, { port, logLevel: 'error', output: 'json', disableStorageReset: true, onlyCategories: Object.keys(TARGETS) });
    const scores = Object.keys(TARGETS).map((name) => [name, Math.round((lhr.categories[name]?.score ?? 0) * 100)]);
    const missed = scores.filter(([name, score]) => score < TARGETS[name]);
    n_missed += missed.length;
    const timing = (name) => lhr.audits[name]?.displayValue ?? '–';
    console.log(`${missed.length ? 'MISSED' : 'ok    '} ${path.slice(0, 50).padEnd(50)} ${scores.map(([name, score]) => `${name} ${score}`).join('  ')}  LCP ${timing('largest-contentful-paint')}  CLS ${timing('cumulative-layout-shift')}  TBT ${timing('total-blocking-time')}`);
    for (const audit of missed.length ? Object.values(lhr.audits) : []) {
      const isBad = audit.score !== null && audit.score < 0.9 && (audit.scoreDisplayMode === 'binary' || audit.id === 'cumulative-layout-shift');
      if (isBad || audit.id === 'layout-shifts') console.log(`         ${audit.id}: ${audit.title}${nodes(audit)}`);
    }
  }
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true });
}
console.log(`${n_missed} targets missed`);
process.exit(n_missed > 0 ? 1 : 0);
