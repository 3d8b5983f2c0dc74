import assert from 'node:assert/strict';
import { divergences } from '../mesh/corpus/divergences.ts';
import { compiledFor, snapshotOf } from './compiled.ts';
import { corpusCases } from './corpora.ts';
import { caseYaml, type SimulationCase, type Want } from './simulation/case.ts';
import { simulate } from './simulation/simulate.ts';

/** Connections into a sidecar run in corpus-inbound.test.ts. */
const INBOUND = /^(inbound|peerauthenticationpassthrough|peerauthenticationwithsidecar)__/;

/** A host that nobody claims and one without a route are answered with 404 alike; a connection that nobody takes is refused alike. */
function outcome({ error }: Want): string | undefined {
  if (error === 'no virtual host matched' || error === 'no route matched') return '404';
  if (error === 'no listener matched' || error === 'no filter chains matched' || error === 'protocol error') return 'refused';
  return error;
}

/** Names of Services in Istio's test have no cluster domain. */
const cluster = (name: string | undefined) => name?.replace(/\.svc\.cluster\.local$/, '');

/** What of the answer the case does not want. */
function wrong(got: Want, want: Want): string | undefined {
  const wanted = [outcome(want), cluster(want.clusterMatched)];
  const seen = [outcome(got), cluster(got.clusterMatched)];
  const told = `${JSON.stringify(got)}, not ${JSON.stringify(want)}`;
  if (want.error === undefined && want.clusterMatched === undefined) return undefined;
  if (wanted[0] !== seen[0] || wanted[1] !== seen[1]) return told;
  return want.routeConfigMatched !== undefined && want.routeConfigMatched !== got.routeConfigMatched ? told : undefined;
}

/** Of the mesh's configuration what a case is about. */
function policyOf({ meshConfig }: SimulationCase): Parameters<typeof snapshotOf>[1] {
  const mode = MODES.find((one) => one === meshConfig?.outboundTrafficPolicy?.mode);
  return mode === undefined ? {} : { outboundTrafficPolicy: mode };
}

const MODES = ['ALLOW_ANY', 'ALLOW_ANY_DYNAMIC_DNS', 'REGISTRY_ONLY'] as const;

describe('corpus: calls by what is compiled', () => {
  const cases = (corpusCases('traffic-simulation') as readonly SimulationCase[]).filter(({ id }) => !INBOUND.test(id));
  const different = divergences('traffic-simulation');
  it('has cases', function () {
    if (cases.length === 0) this.skip();
    for (const id of different)
      assert.ok(
        cases.some((one) => one.id === id),
        `${id} is no case`,
      );
  });
  for (const one of cases) {
    it(one.id, () => {
      const router = one.proxy.type === 'router';
      const differences = () => {
        const compiled = compiledFor(
          snapshotOf(caseYaml(one), policyOf(one)),
          router ? 'gateway:istio-system/the-proxy' : 'default/the-proxy',
        );
        return one.calls.flatMap((asked) => {
          const found = wrong(simulate(compiled, asked, router), asked.want);
          return found === undefined ? [] : [`${asked.name}: ${found}`];
        });
      };
      if (!different.has(one.id)) return assert.deepEqual(differences(), []);
      let same = false;
      try {
        same = differences().length === 0;
      } catch {
        // Objects that are not read here: that is the difference.
      }
      assert.equal(same, false, 'it is answered as in Istio: take it out of docs/divergences.md');
    });
  }
});
