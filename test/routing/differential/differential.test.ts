import * as fc from 'fast-check';
import type { Answer as Explained } from '../../../routing/evaluate/answer.ts';
import { envoyOrSkip } from '../../audit/envoy/process.ts';
import { snapshotOf } from '../compiled.ts';
import { generatedRequest, generatedRoutes, type GeneratedRequest } from './arbitrary.ts';
import { type Asked, askedOf, assertSame, type From, placesIn } from './exchange.ts';
import { documents, hostOf, worldYaml, written } from './world.ts';

const SEED = Number(process.env['GATEHOUSE_SEED'] ?? 20261121);
const CASES = Number(process.env['GATEHOUSE_ROUTE_CASES'] ?? 160);
const REQUESTS = Number(process.env['GATEHOUSE_ROUTE_REQUESTS'] ?? 20);

function hostHeader(index: number, from: From, request: GeneratedRequest): string {
  const { names, port } = hostOf(index);
  const name = names[request.name % names.length] ?? '';
  return request.port ? `${name}:${from === 'default/client' ? port : 80}` : name;
}

describe('routing, differential: evaluate and Envoy', function () {
  it('take the same routes to the same destinations', async function () {
    this.timeout(120_000 + CASES * REQUESTS * 20);
    const envoy = envoyOrSkip(this);
    process.stdout.write(`    seed ${SEED}; again: GATEHOUSE_SEED=${SEED} npm test -- --grep 'routing, differential'\n`);
    const cases = fc.sample(generatedRoutes, { numRuns: CASES, seed: SEED });
    const requests = fc.sample(generatedRequest, { numRuns: CASES * REQUESTS, seed: SEED + 1 });
    const places = await placesIn(24);
    const snapshot = snapshotOf(worldYaml(places, cases));
    const asked = askedOf(requests, CASES, hostHeader);
    const kindsOf = ({ outcome }: Explained) => [outcome.kind];
    const details = ({ index }: Asked, { taken }: Explained) => {
      const generated = cases[index];
      const route = JSON.stringify(taken === undefined ? null : { ...taken, virtualService: undefined });
      return `  route ${route}\n${documents(generated === undefined ? [] : written(index, generated))}`;
    };
    const wanted = ['route', 'redirect', 'direct-response', 'refused'];
    await assertSame({ envoy, snapshot, places, asked, kindsOf, details }, SEED, wanted);
  });
});
