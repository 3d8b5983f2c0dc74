import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Any, anyPack, anyUnpack } from '@bufbuild/protobuf/wkt';
import * as fc from 'fast-check';
import { RBACSchema } from '#gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js';
import { UNSETTLED } from '../../../policy/compile/custom/marking.ts';
import { type Envoy, envoyOrSkip, envoyPath, startEnvoy } from '../../audit/envoy/process.ts';
import { bootstrapOf, type Mix, mixesOf, PATHS, SAID, type Said, type World } from './mixes.ts';
import { type GrpcAuthorizer, type HttpAuthorizer, startGrpcAuthorizer, startHttpAuthorizer } from './servers.ts';

const SEED = Number(process.env['GATEHOUSE_SEED'] ?? 20261121);
const CHANGES = 40;

function status(host: string, at: number, path: string, answer: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({ host, port: at, path, headers: { 'x-ext-authz': answer } }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', reject);
    sent.end();
  });
}

function isGuarded(said: Said | undefined): boolean {
  return said !== undefined && said !== 'nothing';
}

/** What the slots would hold without the rule that denies while a change has not arrived as a whole. */
function withoutGuard(held: Any): Any {
  const config = anyUnpack(held, RBACSchema);
  if (config?.rules?.policies[UNSETTLED] === undefined) return held;
  delete config.rules.policies[UNSETTLED];
  return anyPack(RBACSchema, config);
}

const CHOSEN: readonly (readonly [World, World])[] = [
  [
    ['web', 'nothing'],
    ['rpc', 'nothing'],
  ],
  [
    ['web', 'rpc'],
    ['rpc', 'web'],
  ],
  [
    ['web', 'web'],
    ['deny', 'web'],
  ],
  [
    ['deny', 'nothing'],
    ['web', 'nothing'],
  ],
  [
    ['absent', 'rpc'],
    ['rpc', 'absent'],
  ],
];

describe('policy, the filters of a change arriving one by one', function () {
  this.timeout(60_000);
  const address = `127.${100 + (process.pid % 60)}.${(process.pid >> 6) % 256}.9`;
  const path = envoyPath();
  let http: HttpAuthorizer | undefined;
  let grpc: GrpcAuthorizer | undefined;
  let folder = '';
  const world: fc.Arbitrary<World> = fc.tuple(fc.constantFrom(...SAID), fc.constantFrom(...SAID));
  const moves = [...CHOSEN, ...fc.sample(fc.tuple(world, world), { seed: SEED, numRuns: CHANGES })];

  before(async function () {
    envoyOrSkip(this);
    process.stdout.write(`    seed ${SEED}; again: GATEHOUSE_SEED=${SEED} npm test -- --grep 'one by one'\n`);
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-arrival-'));
    http = await startHttpAuthorizer(address);
    grpc = await startGrpcAuthorizer(address);
  });

  after(async () => {
    await http?.stop();
    await grpc?.stop();
    if (folder !== '') rmSync(folder, { recursive: true, force: true });
  });

  function start(mixes: readonly Mix[]): Promise<Envoy> {
    assert.ok(path !== undefined && http !== undefined && grpc !== undefined);
    return startEnvoy(path, bootstrapOf(mixes, address, { http: http.port, grpc: grpc.port }), folder);
  }

  /** Requests that no provider would allow and that are denied before and after a change, and which of them get through in between. */
  async function slipping(envoy: Envoy, mixes: readonly Mix[]): Promise<{ readonly asked: number; readonly through: object[] }> {
    let asked = 0;
    const through: object[] = [];
    for (const [index, { before: was, after: is, arrived }] of mixes.entries()) {
      for (const [at, to] of PATHS.entries()) {
        if (!isGuarded(was[at]) || !isGuarded(is[at])) continue;
        asked++;
        if ((await status(address, envoy.port(String(index)), to, 'deny')) === 200)
          through.push({ was, is, path: to, arrived: [...arrived] });
      }
    }
    return { asked, through };
  }

  it('let through in no order what is denied before and after', async () => {
    const mixes = moves.flatMap(([was, is]) => mixesOf(was, is));
    const envoy = await start(mixes);
    try {
      const { asked, through } = await slipping(envoy, mixes);
      process.stdout.write(`    ${asked} requests in ${mixes.length} states of ${moves.length} changes\n`);
      assert.deepEqual(through, []);
      assert.ok(asked > 100);
    } finally {
      await envoy.stop();
    }
  });

  it('would let some through without the rule that denies meanwhile', async () => {
    const mixes = CHOSEN.flatMap(([was, is]) => mixesOf(was, is, withoutGuard));
    const envoy = await start(mixes);
    try {
      assert.notDeepEqual((await slipping(envoy, mixes)).through, []);
    } finally {
      await envoy.stop();
    }
  });

  it('decide as they should before and after', async () => {
    const settled = moves.flatMap(([was, is]) => {
      const mixes = mixesOf(was, is);
      return [mixes[0], mixes.at(-1)].flatMap((mix, index) =>
        mix === undefined ? [] : [{ mix, holds: index === 0 ? was : is }],
      );
    });
    const envoy = await start(settled.map(({ mix }) => mix));
    try {
      for (const [index, { holds }] of settled.entries()) {
        for (const [at, to] of PATHS.entries()) {
          const said: Said = holds[at] ?? 'nothing';
          const wanted = [said === 'deny' || said === 'absent' ? 403 : 200, said === 'nothing' ? 200 : 403];
          const on = envoy.port(String(index));
          const got = [await status(address, on, to, 'allow'), await status(address, on, to, 'deny')];
          assert.deepEqual(got, wanted, JSON.stringify({ holds, path: to }));
        }
      }
    } finally {
      await envoy.stop();
    }
  });
});
