// Requests that Envoy refuses by itself, whatever policies say: policy/evaluate is not asked about them, and nothing of them passes.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Envoy, envoyOrSkip, startEnvoy } from '../../audit/envoy/process.ts';
import { MESH_CONFIG } from '../model.ts';
import { type Caller, people } from './callers.ts';
import { bootstrapOf } from './envoy-config.ts';
import { ownNet } from './net.ts';
import { sendAll } from './raw-client.ts';
import type { Sent } from './requests.ts';
import { resultOf } from './round.ts';
import { placeOf } from './world.ts';

const BASE: Sent = Object.freeze({ method: 'GET', target: '/', host: 'app.example', headers: [] });

const REFUSED: Readonly<Record<string, readonly [Sent, number]>> = {
  'a method in lower case': [{ ...BASE, method: 'get' }, 400],
  'a method of its own': [{ ...BASE, method: 'X-Y' }, 400],
  'CONNECT without a host': [{ ...BASE, method: 'CONNECT' }, 400],
  'an asterisk for another method than OPTIONS': [{ ...BASE, target: '*' }, 400],
  'a path without a slash': [{ ...BASE, target: 'admin' }, 400],
  'a path with a space': [{ ...BASE, target: '/a b' }, 400],
  'a path with a control character': [{ ...BASE, target: '/a\u0001' }, 400],
  'a path with a byte that is not ASCII': [{ ...BASE, target: '/a\u00e9' }, 400],
  'a path with an escaped zero byte': [{ ...BASE, target: '/a%00' }, 400],
  'a target of another scheme': [{ ...BASE, target: 'ftp://a/b' }, 400],
  'a target without a host': [{ ...BASE, target: 'http:///x' }, 400],
  'a host with a space': [{ ...BASE, host: 'a b' }, 400],
  'a host with a slash': [{ ...BASE, host: 'a/b' }, 400],
  'a header with a control character': [{ ...BASE, headers: [['x-role', 'a\u0001b']] }, 400],
  'a header name with a space': [{ ...BASE, headers: [['x role', 'a']] }, 400],
  'two lengths': [
    {
      ...BASE,
      headers: [
        ['content-length', '0'],
        ['content-length', '0'],
      ],
    },
    400,
  ],
  'headers that are too large': [{ ...BASE, headers: [['x-role', 'a'.repeat(70_000)]] }, 431],
};

describe('policy, requests that the proxy refuses', () => {
  let envoy: Envoy | undefined;
  let folder: string | undefined;
  let caller: Caller | undefined;
  const world = { policies: [], authentications: [], meshConfig: MESH_CONFIG, strict: false, lax: false, dualStack: false };
  const place = placeOf(world, `${ownNet()}.1`);

  before(async function () {
    this.timeout(60_000);
    const path = envoyOrSkip(this);
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-refused-'));
    const known = await people(folder);
    caller = known.callers[0];
    const own = join(folder, 'envoy');
    mkdirSync(own);
    const options = { node: { id: 'all', cluster: 'all' }, secrets: known.secrets, accessLog: { kind: 'none' as const } };
    envoy = await startEnvoy(path, bootstrapOf([place], options, { echo: 1, authorizers: { http: 1, grpc: 1 } }), own);
  });

  after(async () => {
    await envoy?.stop();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  async function answer(sent: Sent): Promise<string> {
    assert.ok(caller !== undefined);
    const [found] = await sendAll(caller, { host: place.address, port: place.ports.http, from: caller.address }, [sent]);
    assert.ok(found);
    const { decision, rule } = resultOf(found);
    return `${decision} ${rule}`.trimEnd();
  }

  it('are not the one that is as it should be', async () => {
    assert.equal(await answer(BASE), 'ALLOW');
  });

  for (const [name, [sent, status]] of Object.entries(REFUSED)) {
    it(name, async () => {
      assert.match(await answer(sent), new RegExp(`^REFUSED ${status} `));
    });
  }
});
