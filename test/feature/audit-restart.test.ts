// What the report says against what was sent, to the request: HTTP and TCP, allowed and denied, while the control plane is killed twice.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { TestAuthority } from '../audit/envoy/certificates.ts';
import { PostgresServer } from '../audit/store/postgres-server.ts';
import { eventually } from '../eventually.ts';
import { field } from './load.ts';
import { get, root, RunningMesh, samples, type SyncStatus } from './running-mesh.ts';

type Counts = Map<string, number>;

const line = (source: string, destination: string, decision: 'ALLOW' | 'DENY'): string =>
  `${source} -> ${destination} ${decision}`;

/** A connection that asks for a page, to its end: what came back. */
function connection(address: string): Promise<string> {
  const [host, port] = address.split(':');
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ host, port: Number(port) }, () =>
      socket.write('GET / HTTP/1.1\r\nhost: line\r\nconnection: close\r\n\r\n'),
    );
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
}

for (const kind of ['SQLite', 'PostgreSQL over TLS'] as const)
  describe(`the report is what was sent, while the control plane is killed: ${kind}`, function () {
    this.timeout(180_000);
    let mesh: RunningMesh;
    let database: PostgresServer | undefined;
    before('start the shop, bookinfo and two TCP services', async function () {
      const sources = [join(samples, 'shop'), join(samples, 'bookinfo'), join(root, 'test', 'feature', 'meshes', 'tcp')];
      if (kind === 'SQLite') {
        mesh = await RunningMesh.start(sources, 'explicit');
        return;
      }
      database = await PostgresServer.start();
      if (database === undefined) return this.skip();
      const authority = await TestAuthority.create();
      const password = 'correct horse battery staple';
      const port = await database.serveTls(await authority.issueForHost('localhost'), 'replica', password);
      const [rootFile, passwordFile] = [join(database.folder, 'root.pem'), join(database.folder, 'password')];
      writeFileSync(rootFile, authority.root);
      writeFileSync(passwordFile, password, { mode: 0o600 });
      const url = `postgres://replica@localhost:${port}/${(await database.place()).database}?sslmode=verify-full&sslrootcert=${rootFile}`;
      mesh = await RunningMesh.start(sources, 'explicit', ['--audit-db', url, '--audit-db-password-file', passwordFile]);
      mesh.auditDb = url;
      process.env['GATEHOUSE_AUDIT_DB_PASSWORD_FILE'] = passwordFile;
    });
    after(async function () {
      this.timeout(60_000);
      delete process.env['GATEHOUSE_AUDIT_DB_PASSWORD_FILE'];
      await mesh?.stop();
      await database?.close();
    });

    const gateway = 'istio-system/istio-ingressgateway';
    const sent: Counts = new Map();
    const note = (source: string, destination: string, decision: 'ALLOW' | 'DENY' = 'ALLOW'): void => {
      const key = line(source, destination, decision);
      sent.set(key, (sent.get(key) ?? 0) + 1);
    };
    const shop = async (site: string, path: string, expected: number): Promise<void> => {
      const { status, body } = await get(mesh.gateway, path, { host: `${site}.shop.localhost` });
      assert.equal(status, expected, body);
      note('outside', gateway);
      note(gateway, `shop/${site}`);
    };
    /** Each sends something, and notes the calls that come of it. */
    const scenarios: readonly (() => Promise<void>)[] = [
      async () => {
        await shop('support', '/account/7', 200);
        note('shop/support', 'shop/users');
        note('shop/users', 'shop/fraud');
      },
      async () => {
        await shop('support', '/score/7', 403);
        note('shop/support', 'shop/fraud', 'DENY');
      },
      async () => {
        await shop('website', '/account/7', 403);
        note('shop/website', 'shop/users', 'DENY');
      },
      async () => {
        const { status, body } = await get(mesh.gateway, '/api/v1/products/0');
        assert.equal(status, 200, body);
        note('outside', gateway);
        note(gateway, 'default/productpage-v1');
        note('default/productpage-v1', 'default/details-v1');
        const version = String(field(body, 'upstream', 'reviews', 'body', 'version'));
        note('default/productpage-v1', `default/reviews-${version}`);
        // Three workloads have this account, so that the identity alone is certain.
        if (version !== 'v1') note('spiffe://cluster.local/ns/default/sa/bookinfo-reviews', 'default/ratings-v1');
      },
      async () => {
        const { '9001': address = '' } = mesh.ready.gatewayPorts;
        assert.match(await connection(address), /^HTTP\/1.1 200/);
        note('outside', gateway);
        note(gateway, 'lines/open');
      },
      async () => {
        const { '9002': address = '' } = mesh.ready.gatewayPorts;
        assert.equal(await connection(address), '');
        note('outside', gateway);
        note(gateway, 'lines/closed', 'DENY');
      },
    ];

    const reported = async (): Promise<Counts> => {
      const counts: Counts = new Map();
      for (const { source, destination, decision, count } of await mesh.edges()) {
        const key = line(source.workload ?? source.principal ?? 'outside', destination.workload ?? 'nowhere', decision);
        counts.set(key, (counts.get(key) ?? 0) + count);
      }
      return counts;
    };
    const sorted = (counts: Counts): readonly string[] => [...counts].map(([key, count]) => `${key}: ${String(count)}`).sort();

    /** Kills the control plane and waits until another one has all proxies. */
    async function killed(): Promise<void> {
      const before = await eventually('control plane status', () => mesh.status());
      process.kill(before.pid, 'SIGKILL');
      const isBack = (now: SyncStatus | undefined): boolean =>
        now !== undefined && now.pid !== before.pid && now.proxies.length >= before.proxies.length;
      await eventually('the next control plane', async () => (isBack(await mesh.status()) ? true : undefined), 60_000).catch(
        (error: unknown) => {
          throw new Error(mesh.log(), { cause: error });
        },
      );
    }

    it('every request and connection, allowed and denied, is there once', async () => {
      const over = new AbortController();
      let next = 0;
      const worker = async (): Promise<void> => {
        while (!over.signal.aborted) await scenarios[next++ % scenarios.length]?.();
      };
      const load = Promise.all(Array.from({ length: 4 }, worker));
      const more = (count: number): Promise<unknown> =>
        eventually('more traffic', () => (next >= count ? true : undefined), 60_000);
      try {
        await more(60);
        await killed();
        await more(next + 60);
        await killed();
        await more(next + 60);
      } finally {
        over.abort();
        await load;
      }
      let last: Counts = new Map();
      await eventually(
        'the report to be what was sent',
        async () => {
          last = await reported();
          return sorted(last).join('\n') === sorted(sent).join('\n') ? true : undefined;
        },
        30_000,
      ).catch(() => assert.deepEqual(sorted(last), sorted(sent), mesh.log()));
      const { stdout } = await mesh.gatehouse('audit', 'report', '--db', mesh.auditFile, '-o', 'json');
      const { totals }: { totals: { lost: number } } = JSON.parse(stdout);
      assert.equal(totals.lost, 0);
      assert.ok([...sent.values()].reduce((sum, count) => sum + count, 0) > 500);
    });
  });
