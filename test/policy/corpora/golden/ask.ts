import { TestAuthority } from '../../../audit/envoy/certificates.ts';
import { startEnvoy } from '../../../audit/envoy/process.ts';
import { peerBefore } from './ours.ts';
import type { Probe } from './probes.ts';
import { bootstrap, Prober } from './run.ts';
import type { Unit } from './units.ts';

/** A probe that says nothing but what is given. */
export function probe(given: Partial<Probe> & Pick<Probe, 'port'>): Probe {
  return {
    peer: undefined,
    from: '127.200.0.1',
    to: '127.200.0.2',
    sni: undefined,
    method: 'GET',
    host: 'app.test',
    path: '/',
    forwardedFor: undefined,
    header: [],
    claims: undefined,
    metadata: undefined,
    ...given,
  };
}

/** What each unit says of each probe, by the real Envoy: true where it denies. Undefined for a probe that Envoy does not take. */
export async function askEnvoy(
  envoy: string,
  folder: string,
  units: readonly Unit[],
  ports: readonly number[],
  probes: readonly Probe[],
): Promise<readonly (readonly boolean[] | undefined)[]> {
  // Pieces that are written the same are asked once: each costs Envoy more than the one before it.
  const written = units.map(({ form, value }) => JSON.stringify([form, value]));
  const distinct = [...new Set(written)];
  const places = written.map((text) => distinct.indexOf(text));
  const asked = distinct.flatMap((text) => units[written.indexOf(text)] ?? []);
  const authority = await TestAuthority.create();
  const server = await authority.issue('spiffe://cluster.local/ns/foo/sa/httpbin');
  const running = await startEnvoy(envoy, bootstrap(asked, peerBefore(), ports, server, authority.root), folder);
  const certificates = new Map<string, ReturnType<TestAuthority['issue']>>();
  const prober = new Prober((peer) => {
    const known = certificates.get(peer) ?? authority.issue(peer);
    certificates.set(peer, known);
    return known;
  });
  try {
    const answers: (readonly boolean[] | undefined)[] = [];
    for (const one of probes) {
      const found = await prober.answers(one);
      answers.push(found && places.map((at) => found[at] === 'denied'));
    }
    return answers;
  } finally {
    prober.close();
    await running.stop();
  }
}
