// A header sent in two lines, through evaluate and through the real Envoy, which keeps some headers as one line.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KEPT_AS_ONE } from '../../../policy/evaluate/joined.ts';
import { type Envoy, envoyOrSkip, startEnvoy } from '../../audit/envoy/process.ts';
import { given, MESH_CONFIG, policy, rule } from '../model.ts';
import { type Caller, people } from './callers.ts';
import { bootstrapOf } from './envoy-config.ts';
import { asked, expectedOf } from './expected.ts';
import { ownNet } from './net.ts';
import { sendAll } from './raw-client.ts';
import { resultOf } from './round.ts';
import { type Place, placeOf } from './world.ts';

/** Headers whose lines stay apart. */
const APART: readonly string[] = (
  'accept-charset accept-language content-language content-location cookie dnt dpop etag forwarded from priority ' +
  'proxy-authorization range sec-fetch-site sec-websocket-key traceparent tracestate baggage x-api-key x-auth-token ' +
  'x-b3-traceid x-csrf-token x-real-ip x-role'
).split(' ');
const NAMES = [...KEPT_AS_ONE, ...APART];

const about = (name: string, value: string) => [rule({ when: [{ key: `request.headers[${name}]`, values: given([value]) }] })];

describe('policy, headers in two lines', () => {
  let envoy: Envoy | undefined;
  let folder: string | undefined;
  let caller: Caller | undefined;
  const places = NAMES.flatMap((name, index): readonly Place[] => {
    const world = { authentications: [], meshConfig: MESH_CONFIG, strict: false, lax: false, dualStack: false };
    const denied = policy('shop', 'denied', { action: 'DENY', rules: about(name, 'b') });
    const allowed = policy('shop', 'allowed', { rules: about(name, 'a,b') });
    return [denied, allowed].map((one, which) => placeOf({ ...world, policies: [one] }, `${ownNet()}.${index * 2 + which + 1}`));
  });

  before(async function () {
    this.timeout(60_000);
    const path = envoyOrSkip(this);
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-headers-'));
    const known = await people(folder);
    caller = known.callers[0];
    const own = join(folder, 'envoy');
    mkdirSync(own);
    const options = { node: { id: 'all', cluster: 'all' }, secrets: known.secrets, accessLog: { kind: 'none' as const } };
    envoy = await startEnvoy(path, bootstrapOf(places, options, { echo: 1, authorizers: { http: 1, grpc: 1 } }), own);
  });

  after(async () => {
    await envoy?.stop();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  async function answers(place: Place | undefined, name: string): Promise<readonly string[]> {
    assert.ok(place !== undefined && caller !== undefined);
    const headers = [
      [name, 'a'],
      [name, 'b'],
    ] as const;
    const sent = { method: 'GET', target: '/', host: 'app.example', headers };
    const to = { host: place.address, port: place.ports.http, from: caller.address };
    const [answer] = await sendAll(caller, to, [sent]);
    assert.ok(answer);
    const question = asked(place, caller, caller.address, place.address, sent);
    return [resultOf(answer).decision, expectedOf(place, question).decision];
  }

  for (const [index, name] of NAMES.entries()) {
    it(`${name}: a second line is seen by what denies`, async () => {
      assert.deepEqual(await answers(places[index * 2], name), ['DENY', 'DENY']);
    });

    it(`${name}: two lines are ${KEPT_AS_ONE.has(name) ? 'one' : 'two'} for what allows`, async () => {
      const wanted = KEPT_AS_ONE.has(name) ? 'ALLOW' : 'DENY';
      assert.deepEqual(await answers(places[index * 2 + 1], name), [wanted, wanted]);
    });
  }
});
