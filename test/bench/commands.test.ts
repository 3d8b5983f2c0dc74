import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../feature/running-mesh.ts';

interface Done {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function bench(command: string, ...args: readonly string[]): Promise<Done> {
  const all = ['--disable-warning=ExperimentalWarning', join(root, 'bench', `${command}.ts`), ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, all, { maxBuffer: 64 * 1024 * 1024 }, (error, out, err) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, out, err });
    });
  });
}

interface Table {
  readonly mesh: { readonly services: number; readonly seed: number };
  readonly load: number;
  readonly rows: readonly {
    readonly work: string;
    readonly server: string;
    readonly repeats: number;
    readonly figures: Readonly<Record<string, number>> & { readonly note?: string };
  }[];
}

async function table(command: string, ...args: readonly string[]): Promise<Table> {
  const { code, out, err } = await bench(command, ...args, '-o', 'json');
  assert.equal(code, 0, err);
  const parsed: Table = JSON.parse(out);
  for (const { work, server, figures } of parsed.rows) {
    assert.equal(server, 'gatehouse');
    assert.equal(/not|closed|status/.exec(figures.note ?? ''), null, `${work}: ${figures.note ?? ''}`);
    for (const [name, figure] of Object.entries(figures))
      assert.ok(name === 'note' || (Number.isFinite(figure) && Number(figure) >= 0), `${work}: ${name} is ${figure}`);
  }
  return parsed;
}

const SMALL = ['--services', '40', '--proxies', '4', '--namespaces', '2', '--repeats', '1', '--timeout', '60'] as const;

describe('bench', function () {
  this.timeout(240_000);

  it('scale: the load client gets everything from a server, over both variants, and sees each change', async () => {
    const { mesh, rows, load } = await table('scale', ...SMALL, '--only', 'route,endpoint,reconnect');
    assert.equal(mesh.services, 40);
    assert.ok(load >= 0);
    assert.deepEqual(
      rows.map(({ work }) => work),
      [
        'start',
        'first configuration, delta',
        'one route weight, delta',
        'one endpoint, delta',
        'reconnect, knowing all',
        'reconnect, knowing nothing, delta',
        'first configuration, sotw',
        'one route weight, sotw',
        'one endpoint, sotw',
        'reconnect, knowing nothing, sotw',
      ],
    );
    const row = (work: string): Readonly<Record<string, number>> =>
      rows.find((one) => one.work === work)?.figures ?? assert.fail(work);
    // Of each of 40 services a cluster, its endpoints and a virtual host, and subsets of 4, for 4 proxies.
    assert.ok((row('first configuration, delta')['resources'] ?? 0) > 4 * 3 * 40);
    for (const variant of ['delta', 'sotw'])
      for (const change of ['one route weight', 'one endpoint']) {
        const { lastMs = 0, responses = 0 } = row(`${change}, ${variant}`);
        assert.ok(lastMs > 0, `${change}, ${variant}`);
        assert.equal(responses, 4, `${change}, ${variant}`);
      }
    assert.equal(row('one route weight, delta')['resources'], 4);
    assert.equal(row('reconnect, knowing all')['resources'], 0);
    assert.equal(row('reconnect, knowing nothing, delta')['resources'], row('first configuration, delta')['resources']);
  });

  it('latency: certificates are answered beside first configurations and changes, and the loop is watched', async () => {
    const { rows } = await table('latency', ...SMALL, '--callers', '4', '--seconds', '1');
    assert.deepEqual(
      rows.map(({ work }) => work),
      [
        'start',
        'nothing else',
        'first configuration',
        'one route weight',
        'one route weight, 4 callers',
        'one endpoint',
        'one endpoint, 4 callers',
        'all reconnect, knowing all',
        'all reconnect, knowing nothing, 4 callers',
      ],
    );
    for (const { work, figures } of rows.slice(1)) {
      assert.ok((figures['csrs'] ?? 0) > 0, work);
      assert.ok((figures['csrP50Ms'] ?? 0) > 0, work);
      assert.ok((figures['csrMaxMs'] ?? 0) >= (figures['csrP99Ms'] ?? 0), work);
      assert.ok(figures['holdMs'] !== undefined, work);
    }
  });

  it('a table for people, with a line of what was measured', async () => {
    const { code, out } = await bench('scale', ...SMALL, '--variants', 'delta', '--only', 'route');
    assert.equal(code, 0);
    assert.match(out, /work.*server.*CPU s.*last ms/);
    assert.match(out, /one route weight, delta/);
    assert.match(out, /40 services, 4 proxies, 2 namespaces, entries, seed 7; load average/);
  });

  it('gateway: one changed weight of many, less than the first time', async () => {
    const { code, out, err } = await bench('gateway', '--hosts', '60', '--changes', '3', '-o', 'json');
    assert.equal(code, 0, err);
    const { rows }: { readonly rows: readonly { readonly work: string; readonly cost: Readonly<Record<string, number>> }[] } =
      JSON.parse(out);
    assert.deepEqual(
      rows.map(({ work }) => work),
      ['first', 'one weight'],
    );
    for (const { work, cost } of rows)
      // Where the kernel counts CPU time in ticks, little work is none.
      for (const key of ['snapshotMs', 'resourcesMs']) assert.ok((cost[key] ?? -1) >= 0, `${work}: ${key}`);
    const [first = 0, weight = 0] = rows.map(({ cost }) => cost['bytes']);
    assert.ok(weight > 0 && weight < first / 3, `${weight} of ${first} bytes`);
  });

  for (const command of ['scale', 'latency', 'mesh', 'gateway']) {
    it(`${command} --help tells its options, with examples`, async () => {
      const { code, out } = await bench(command, '--help');
      assert.equal(code, 0);
      assert.match(out, /--(services|hosts) N/);
      assert.match(out, /Examples:\n {2}node bench\//);
    });
  }

  for (const [command, flags, message] of [
    ['scale', ['--services', 'many'], /--services: a whole number from 1 on, not many/],
    ['scale', ['--form', 'pods'], /--form: one of entries, services, not pods/],
    ['scale', ['--variants', 'both'], /--variants: delta or sotw, not both/],
    ['scale', ['--only', 'nothing'], /--only: one of first, .*not nothing/],
    ['scale', ['--ads', '127.0.0.1:1'], /--ads, --folder and --pid go together/],
    ['scale', ['--no-such-flag'], /no-such-flag.*see --help/],
    ['latency', ['--callers', '0'], /--callers: a whole number from 1 on, not 0/],
    ['latency', ['--no-such-flag'], /no-such-flag.*see --help/],
    ['gateway', ['--hosts', 'x'], /--hosts: a whole number from 1 on, not x/],
    ['mesh', ['--no-such-flag'], /no-such-flag/],
    ['mesh', ['--folder', '/nowhere', '--seed', 'x'], /--seed: a whole number/],
  ] as const) {
    it(`${command} ${flags.join(' ')} is wrong usage`, async () => {
      const { code, err } = await bench(command, ...flags);
      assert.match(err, message);
      assert.equal(code, 2);
    });
  }

  it('mesh writes the files of a mesh', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-mesh-'));
    try {
      const { code } = await bench('mesh', '--folder', folder, '--services', '10', '--proxies', '2', '--namespaces', '2');
      assert.equal(code, 0);
      assert.deepEqual(readdirSync(folder).toSorted(), ['namespaces.yaml', 'ns-000', 'ns-001']);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
