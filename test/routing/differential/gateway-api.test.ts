import * as fc from 'fast-check';
import type { Answer as Explained } from '../../../routing/evaluate/answer.ts';
import { envoyOrSkip } from '../../audit/envoy/process.ts';
import { snapshotOf } from '../compiled.ts';
import { generatedRequest, type GeneratedRequest } from './arbitrary.ts';
import { type Asked, askedOf, assertSame, type From, placesIn } from './exchange.ts';
import { generatedApiRoutes } from './gateway-api-arbitrary.ts';
import { apiHostOf, apiWorldYaml, writtenApiRoutes } from './gateway-api-world.ts';
import { documents } from './world.ts';

const SEED = Number(process.env['GATEHOUSE_SEED'] ?? 20261121);
const CASES = Number(process.env['GATEHOUSE_ROUTE_CASES'] ?? 120);
const REQUESTS = Number(process.env['GATEHOUSE_ROUTE_REQUESTS'] ?? 20);

function hostHeader(index: number, from: From, request: GeneratedRequest): string {
  const { gateway, mesh, port } = apiHostOf(index);
  const names = from === 'default/client' ? mesh : gateway;
  const name = names[request.name % names.length] ?? '';
  return from === 'default/client' ? `${name}:${port}` : request.port ? `${name}:80` : name;
}

describe('Gateway API routes, differential: evaluate and Envoy', function () {
  it('take the same rules to the same backends', async function () {
    this.timeout(120_000 + CASES * REQUESTS * 20);
    const envoy = envoyOrSkip(this);
    process.stdout.write(
      `    seed ${SEED}; again: GATEHOUSE_SEED=${SEED} npm test -- --grep 'Gateway API routes, differential'\n`,
    );
    const cases = fc.sample(generatedApiRoutes, { numRuns: CASES, seed: SEED });
    const requests = fc.sample(generatedRequest, { numRuns: CASES * REQUESTS, seed: SEED + 1 });
    const places = await placesIn(25);
    const snapshot = snapshotOf(apiWorldYaml(places, cases));
    const asked = askedOf(requests, CASES, hostHeader);
    const kindsOf = ({ outcome }: Explained) => {
      const refused = outcome.kind === 'route' && outcome.destinations.some(({ trouble }) => trouble?.status === 500);
      return [outcome.kind, ...(refused ? ['500'] : [])];
    };
    const details = ({ index }: Asked) => documents(writtenApiRoutes(index, cases[index] ?? []));
    const wanted = ['route', 'redirect', 'direct-response', '500'];
    await assertSame({ envoy, snapshot, places, asked, kindsOf, details }, SEED, wanted);
  });
});
