import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Asset {
  readonly type: string;
  readonly body: Buffer;
}

/** What the browser runs: modules as they are written, one by one, so that nothing has to be bundled. */
export interface Assets {
  /** Of all that is in it; part of the address, so that a browser may keep it for ever. */
  readonly version: string;
  /** By path below `/assets/VERSION/`. */
  readonly files: ReadonlyMap<string, Asset>;
  /** In the order in which they are to be fetched. */
  readonly modules: readonly string[];
  readonly main: string;
  readonly styles: readonly string[];
}

const AUDIT = fileURLToPath(new URL('../../', import.meta.url));
const BROWSER = join('page', 'browser');
/** What the browser's modules share with the rest. */
const SHARED: readonly string[] = Object.freeze([join('page', 'shared', 'counts'), join('report', 'visible')]);

function assetOf(path: string): Asset | undefined {
  const content = (): string => readFileSync(path, 'utf8');
  switch (extname(path)) {
    // From the sources: Node takes the types out, as it does for itself.
    case '.ts':
      return { type: 'text/javascript', body: Buffer.from(stripTypeScriptTypes(content())) };
    case '.js':
      return { type: 'text/javascript', body: Buffer.from(content().replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n')) };
    case '.css':
      return { type: 'text/css', body: Buffer.from(content()) };
    default:
      return undefined;
  }
}

/** Reads all of it once. @throws Error when the installation lacks it */
export function readAssets(): Assets {
  const files = new Map<string, Asset>();
  const hash = createHash('sha256');
  const own = readdirSync(join(AUDIT, BROWSER), { recursive: true, encoding: 'utf8' }).map((name) => join(BROWSER, name));
  const shared = SHARED.map((name) => `${name}${extname(import.meta.url)}`);
  for (const name of [...own, ...shared].sort()) {
    const asset = assetOf(join(AUDIT, name));
    if (asset === undefined) continue;
    files.set(name, asset);
    hash.update(name).update(asset.body);
  }
  const names = [...files.keys()];
  const main = names.find((name) => /^page\/browser\/main\.[jt]s$/.test(name));
  if (main === undefined) throw new Error(`the page's scripts are missing in ${AUDIT} (build again: npm run build)`);
  return {
    version: hash.digest('hex').slice(0, 16),
    files,
    main,
    modules: names.filter((name) => files.get(name)?.type === 'text/javascript'),
    styles: names.filter((name) => files.get(name)?.type === 'text/css'),
  };
}
