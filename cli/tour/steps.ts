import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ask, askMany, type Answer, countsText } from './request.ts';
import { ROLLOUT_STEPS } from './rollout/steps.ts';
import type { Step, TourContext } from './step.ts';
import { until } from './until.ts';
import { wholeReport } from './whole-report.ts';

const status = ({ status }: Answer): string => String(status);

function visit({ mesh }: TourContext, site: string, path: string): Promise<Answer> {
  return ask(mesh.gateway, path, { host: `${site}.shop.localhost` });
}

/** Which version of reviews the product page asked. */
function reviewsVersion({ status, body }: Answer): string {
  if (status !== 200) return `status ${String(status)}`;
  return /"reviews":\{.*?"service":"reviews","version":"(v\d)"/.exec(body)?.[1] ?? 'none';
}

const SPLIT = `# 80 of 100 calls to reviews go to v1, the others to v3. Change the weights while the mesh runs.
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
  namespace: default
spec:
  hosts:
  - reviews
  http:
  - route:
    - destination:
        host: reviews
        subset: v1
      weight: 80
    - destination:
        host: reviews
        subset: v3
      weight: 20
`;

/** What the tour shows, in order. Each step asks the running mesh from outside. */
export const STEPS: readonly Step[] = Object.freeze([
  ...ROLLOUT_STEPS,
  {
    name: 'mtls',
    title: 'mutual TLS: a workload answers the mesh, and refuses plain text',
    run: async (context) => {
      const shown = await visit(context, 'website', '/');
      const users = context.mesh.workloads.find(({ workload }) => workload === 'shop/users');
      const plain = await ask(`${users?.ip ?? ''}:8080`, '/users/7', { connection: 'close' });
      const seen = `website through the gateway: ${String(shown.status)}; users API in plain text: ${plain.status === 0 ? 'refused' : String(plain.status)}`;
      return { ok: shown.status === 200 && plain.status === 0, seen };
    },
  },
  {
    name: 'policy',
    title: 'policy: support may show an account, the website may not: it was never seen to',
    run: async (context) => {
      const support = await askMany(20, () => visit(context, 'support', '/account/7'), status);
      const website = await askMany(20, () => visit(context, 'website', '/account/7'), status);
      const ok = support.get('200') === 20 && website.get('403') === 20;
      return { ok, seen: `20 calls each; support: ${countsText(support)}; website: ${countsText(website)}` };
    },
  },
  {
    name: 'split',
    title: 'routing: reviews split 80/20 between v1 and v3',
    run: async (context) => {
      writeFileSync(join(context.folder, 'reviews-80-20.yaml'), SPLIT);
      const book = (): Promise<Answer> => ask(context.mesh.gateway, '/api/v1/products/0');
      const inForce = await until(10_000, async () => {
        const counts = await askMany(20, book, reviewsVersion);
        return !counts.has('v2') && counts.has('v1');
      });
      const counts = await askMany(500, book, reviewsVersion);
      const first = ((counts.get('v1') ?? 0) / 500) * 100;
      const ok = inForce && (counts.get('v1') ?? 0) + (counts.get('v3') ?? 0) === 500 && Math.abs(first - 80) <= 8;
      return { ok, seen: `500 calls: ${countsText(counts)}` };
    },
  },
  {
    name: 'rotation',
    title: 'rotation: certificates are replaced while requests flow',
    run: async (context) => {
      const { rotations } = context.mesh;
      const rotated = (): boolean =>
        context.mesh.workloads.every(({ workload, pod }) => rotations.has(`${workload.split('/')[0] ?? ''}/${pod}`));
      const counts = new Map<string, number>();
      const done = await until(45_000, async () => {
        for (const [name, count] of await askMany(20, () => visit(context, 'support', '/account/7'), status))
          counts.set(name, (counts.get(name) ?? 0) + count);
        return rotated();
      });
      const serials = [...rotations.values()].reduce((sum, set) => sum + set.size, 0);
      const ok = done && counts.size === 1 && counts.has('200');
      return {
        ok,
        seen: `${String(serials)} new certificates in ${String(rotations.size)} workloads; answers meanwhile: ${countsText(counts)}`,
      };
    },
  },
  {
    name: 'report',
    title: 'report: who talked to whom, allowed or denied and by which policy',
    run: async ({ auditFile }) => {
      const arrived = await until(10_000, async () => {
        const { lines } = await wholeReport(auditFile);
        const denied = lines.filter(
          ({ key }) => key.destinationWorkload === 'shop/website' && key.path === '/account/{id}' && key.decision === 'DENY',
        );
        return denied.reduce((sum, { tally }) => sum + tally.count, 0) === 20;
      });
      const { totals } = await wholeReport(auditFile);
      return {
        ok: arrived && totals.lost === 0,
        seen: `${String(totals.edges)} edges, ${String(totals.calls)} calls, ${String(totals.denied)} denied, ${String(totals.lost)} records lost`,
      };
    },
  },
]);
