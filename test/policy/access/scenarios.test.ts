import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { parsePort } from '../../../mesh/model/port.ts';
import { loadMesh } from '../../../mesh/source/mesh.ts';
import { describedText } from '../../../policy/access/describe.ts';
import { accessTable } from '../../../policy/access/table.ts';
import { evaluate } from '../../../policy/evaluate/evaluate.ts';
import { readRequests } from '../../../policy/evaluate/read-requests.ts';
import { corpusPath } from '../corpora/corpus.ts';
import { type Asked, SCENARIOS, scenarios, Tokens, written } from '../corpora/scenario.ts';
import { told } from './told.ts';

function protocolOf({ port }: Asked): 'HTTP' | 'TCP' {
  return port.protocol === 'TCP' ? 'TCP' : 'HTTP';
}

describe('policy, access: scenarios of the corpus', () => {
  const path = corpusPath(SCENARIOS);
  if (path === undefined) {
    it('are told as they are decided', function () {
      this.skip();
    });
    return;
  }
  const tokens = new Tokens(path);
  let folder = '';
  let rows = 0;
  let compared = 0;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-access-'));
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
    process.stdout.write(`    ${rows} rows, ${compared} requests\n`);
  });

  for (const scenario of scenarios()) {
    it(scenario.id, () => {
      const meshConfigFile = join(folder, 'mesh.yaml');
      writeFileSync(meshConfigFile, stringify({ ...scenario.meshConfig, rootNamespace: scenario.rootNamespace }));
      const { snapshot } = loadMesh({ paths: [join(path, scenario.config)], meshConfigFile });
      const { namespace, labels } = scenario.target;
      const ports = scenario.requests.flatMap((asked) => {
        const port = parsePort(asked.port.number);
        return port === undefined ? [] : [{ port, protocol: protocolOf(asked) }];
      });
      const destination = { name: `${namespace}/target`, namespace, labels, ports, hosts: ['target'] };
      const callers = scenario.requests.flatMap(({ from }) =>
        from.principal === null ? [] : [from.principal.replace('spiffe://', '')],
      );
      const table = accessTable({ snapshot, destination }, [...new Set(callers)]);
      assert.ok(table.world.complete);
      for (const { grants } of table.tables) {
        for (const { confirmed, conditions, witness } of grants) {
          rows += 1;
          assert.ok(
            confirmed,
            JSON.stringify({ witness, conditions: conditions.map((one) => [one.key, describedText(one.description)]) }),
          );
        }
      }
      const { requests, faults } = readRequests(
        scenario.requests.map((asked) => written(asked, scenario, tokens, protocolOf(asked))),
      );
      assert.deepEqual(faults, []);
      for (const { request } of requests) {
        compared += 1;
        const { decision, reason } = evaluate(snapshot, request);
        assert.equal(told(snapshot, table, request) === true ? 'ALLOW' : 'DENY', decision, JSON.stringify({ request, reason }));
      }
    });
  }
});
