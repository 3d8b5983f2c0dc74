import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestAuthority } from '../../audit/envoy/certificates.ts';
import { envoyOrSkip } from '../../audit/envoy/process.ts';
import type { Reached } from '../envoy/application.ts';
import { startApplication } from '../envoy/application.ts';
import { type RunningTarget, startTarget } from '../envoy/target.ts';
import { casesOf } from './corpus.ts';
import { complete } from './judged.ts';

interface Normalization {
  readonly id: string;
  readonly mode: string;
  readonly rawPath: string;
  readonly wantPath?: string;
  readonly wantStatus?: number;
}

const NET = `127.${192 + (process.pid % 60)}.${(process.pid >> 6) % 256}`;
const APPLICATION = `${NET}.251`;
const PORT = 18_081;
const AT_ONCE = 8;

interface Answer {
  readonly status: number;
  readonly path: string | undefined;
}

/** Sends a path byte by byte as it stands, which no HTTP client would. */
async function get(host: string, path: string): Promise<Answer> {
  const socket = connect({ host, port: PORT });
  socket.setTimeout(10_000, () => socket.destroy(new Error('no answer in time')));
  socket.write(`GET ${path} HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n`);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(Buffer.from(chunk as Uint8Array));
  const text = Buffer.concat(chunks).toString();
  const told = /\{"method".*\}/.exec(text)?.[0];
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0),
    path: told === undefined ? undefined : (JSON.parse(told) as Reached).path,
  };
}

describe('policy, corpus: paths as the real Envoy shows them', function () {
  this.timeout(60_000);
  const cases = casesOf<Normalization>('path-normalization');
  const modes = [...new Set(cases.map(({ mode }) => mode))];
  const running: RunningTarget[] = [];
  let folder = '';
  let stopApplication: (() => Promise<void>) | undefined;

  before(async function () {
    const envoy = envoyOrSkip(this);
    if (cases.length === 0) this.skip();
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-paths-'));
    stopApplication = await startApplication(APPLICATION, [{ port: PORT, protocol: 'HTTP' }]);
    const authority = await TestAuthority.create();
    for (const [index, mode] of modes.entries()) {
      running.push(
        await startTarget(envoy, {
          paths: [],
          meshConfig: { pathNormalization: { normalization: mode } },
          target: {
            kind: 'sidecar',
            namespace: 'echo',
            service: 'app',
            labels: { app: 'app' },
            ports: [{ name: 'http', protocol: 'HTTP', service: 80, workload: PORT }],
          },
          address: `${NET}.${200 + index}`,
          application: APPLICATION,
          authority,
          folder: join(folder, mode),
        }),
      );
    }
  });
  after(async () => {
    await Promise.all(running.map((one) => one.stop()));
    await stopApplication?.();
    if (folder !== '') rmSync(folder, { recursive: true, force: true });
  });

  complete('path-normalization', new Set(cases.map(({ id }) => id)));
  if (modes.length === 0) {
    it('modes', function () {
      this.skip();
    });
  }
  for (const [index, mode] of modes.entries()) {
    const mine = cases.filter((one) => one.mode === mode);
    it(`${mode}: ${mine.length} paths`, async () => {
      const wrong: object[] = [];
      for (let at = 0; at < mine.length; at += AT_ONCE) {
        await Promise.all(
          mine.slice(at, at + AT_ONCE).map(async ({ id, rawPath, wantPath, wantStatus = 200 }) => {
            const got = await get(`${NET}.${200 + index}`, rawPath);
            if (got.status !== wantStatus || got.path !== wantPath) wrong.push({ id, rawPath, wantPath, wantStatus, got });
          }),
        );
      }
      assert.deepEqual(wrong, []);
    });
  }
});
