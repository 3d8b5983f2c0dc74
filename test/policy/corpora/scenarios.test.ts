import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { loadMesh } from '../../../mesh/source/mesh.ts';
import { evaluate } from '../../../policy/evaluate/evaluate.ts';
import { readRequests } from '../../../policy/evaluate/read-requests.ts';
import { corpusPath } from './corpus.ts';
import { type Asked, type Scenario, SCENARIOS, scenarios, Tokens, written } from './scenario.ts';

/** What the authorizers of `custom` cases say: see ext-authz/servers.ts. */
function answers({ from, headers, port }: Asked, { meshConfig }: Scenario): object {
  const allowed = port.protocol === 'TCP' ? from.principal?.endsWith('/sa/a') === true : headers?.['x-ext-authz'] === 'allow';
  const providers = 'extensionProviders' in meshConfig ? (meshConfig.extensionProviders as readonly { name: string }[]) : [];
  return Object.fromEntries(providers.map(({ name }) => [name, allowed ? 'allow' : 'deny']));
}

/** Whose keys cannot be had. That is not in a question: its token is taken for rightly signed. */
const WITHOUT_KEYS: ReadonlySet<string> = new Set(['requestauthn-timeout', 'requestauthn-invalid-jwks']);

/** A question says what the token says, and nothing of where it stands or whether it was signed. */
function isAboutSignature({ id }: Scenario, { jwt, path, headers }: Asked): boolean {
  if (jwt !== undefined && WITHOUT_KEYS.has(id)) return true;
  return [path ?? '', ...Object.values(headers ?? {})].some((text) => text.includes('@jwt:'));
}

function protocolOf({ port: { protocol } }: Asked): string {
  return protocol.startsWith('HTTP') ? 'HTTP' : protocol;
}

describe('policy, corpus: scenarios', () => {
  const path = corpusPath(SCENARIOS);
  if (path === undefined) {
    it('of allowed and denied requests', function () {
      this.skip();
    });
    return;
  }
  const tokens = new Tokens(path);
  let folder = '';
  let decided = 0;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-scenarios-'));
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
    process.stdout.write(`    ${decided} requests decided\n`);
  });
  for (const scenario of scenarios()) {
    const decidable = scenario.requests.filter((asked) => !isAboutSignature(scenario, asked));
    if (decidable.length === 0) continue;
    it(scenario.id, () => {
      const meshConfigFile = join(folder, 'mesh.yaml');
      writeFileSync(meshConfigFile, stringify({ ...scenario.meshConfig, rootNamespace: scenario.rootNamespace }));
      const { snapshot } = loadMesh({ paths: [join(path, scenario.config)], meshConfigFile });
      const { requests, faults } = readRequests(
        decidable.map((asked) => ({
          ...written(asked, scenario, tokens, protocolOf(asked)),
          extAuthz: answers(asked, scenario),
        })),
      );
      assert.deepEqual(faults, []);
      const wrong = requests.flatMap(({ request }, index) => {
        const asked = decidable[index];
        const verdict = evaluate(snapshot, request);
        // No route is no denial.
        const want = asked?.expect.status === 404 ? 'ALLOW' : asked?.expect.decision.toUpperCase();
        return verdict.decision === want ? [] : [{ asked, verdict }];
      });
      assert.deepEqual(wrong.slice(0, 2), [], `${wrong.length} of ${requests.length}`);
      decided += requests.length;
    });
  }
});
