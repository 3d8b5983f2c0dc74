import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { loadMesh } from '../../../mesh/source/mesh.ts';
import { evaluate } from '../../../policy/evaluate/evaluate.ts';
import { readRequests } from '../../../policy/evaluate/read-requests.ts';
import { casesOf, corpusPath } from './corpus.ts';

interface Asked {
  readonly from: { readonly principal: string | null; readonly ip?: string; readonly remoteIp?: string };
  readonly port: { readonly protocol: string; readonly number: number; readonly servicePort: number };
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly jwt?: string;
  readonly expect: { readonly decision: 'allow' | 'deny'; readonly status?: number };
}

interface Scenario {
  readonly id: string;
  readonly config: string;
  readonly rootNamespace: string;
  readonly meshConfig: object;
  readonly tags: readonly string[];
  readonly target: {
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly fqdn: string;
    readonly ip: string;
  };
  readonly requests: readonly Asked[];
}

// What these ask for is decided elsewhere than by AuthorizationPolicy: an external authorizer, Gateway API objects, a token's validity
// and which of its claims are lists of words.
const ELSEWHERE: ReadonlySet<string> = new Set(['custom', 'gateway-api']);

function byToken({ id }: Scenario, { expect, jwt }: Asked): boolean {
  return id.startsWith('requestauthn-') || expect.status === 401 || jwt?.includes('CustomScope') === true;
}
const WORLD = 'authz-scenarios';

function claimsOf(path: string, name: string): Readonly<Record<string, unknown>> {
  const tokens = JSON.parse(readFileSync(join(path, 'jwt', 'tokens.json'), 'utf8')) as Readonly<Record<string, unknown>>;
  const entry = tokens[name];
  const token = typeof entry === 'string' ? entry : ((entry as { readonly token?: string } | undefined)?.token ?? '');
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString() || '{}') as Readonly<Record<string, unknown>>;
}

/** As the command takes it. */
function written(asked: Asked, { target }: Scenario, path: string): object {
  const headers = { ...asked.headers };
  const host = headers['host'] ?? headers['Host'] ?? target.fqdn;
  return {
    source: asked.from,
    destination: {
      namespace: target.namespace,
      labels: target.labels,
      ip: target.ip,
      port: asked.port.number,
      protocol: asked.port.protocol.startsWith('HTTPS') ? 'HTTP' : asked.port.protocol,
      sni: asked.from.principal === null ? undefined : `outbound_.${asked.port.servicePort}_._.${target.fqdn}`,
    },
    request: { method: asked.method, path: asked.path, host, headers },
    jwt: asked.jwt === undefined ? undefined : { claims: claimsOf(path, asked.jwt) },
  };
}

describe('policy, corpus: scenarios', () => {
  const path = corpusPath(WORLD);
  if (path === undefined) {
    it('of allowed and denied requests', function () {
      this.skip();
    });
    return;
  }
  let folder = '';
  let decided = 0;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-scenarios-'));
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
    process.stdout.write(`    ${decided} requests decided\n`);
  });
  for (const scenario of casesOf<Scenario>(WORLD)) {
    it(scenario.id, function () {
      const decidable = scenario.requests.filter((asked) => !byToken(scenario, asked));
      if (scenario.tags.some((tag) => ELSEWHERE.has(tag)) || decidable.length === 0) this.skip();
      const meshConfigFile = join(folder, 'mesh.yaml');
      writeFileSync(meshConfigFile, stringify({ ...scenario.meshConfig, rootNamespace: scenario.rootNamespace }));
      const { snapshot } = loadMesh({ paths: [join(path, scenario.config)], meshConfigFile });
      const { requests, faults } = readRequests(decidable.map((asked) => written(asked, scenario, path)));
      assert.deepEqual(faults, []);
      const wrong = requests.flatMap(({ request }, index) => {
        const asked = decidable[index];
        const verdict = evaluate(snapshot, request);
        return verdict.decision === asked?.expect.decision.toUpperCase() ? [] : [{ asked, verdict }];
      });
      assert.deepEqual(wrong.slice(0, 2), [], `${wrong.length} of ${requests.length}`);
      decided += requests.length;
    });
  }
});
