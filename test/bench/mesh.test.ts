import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endpointsFile, meshFiles, routesFile, writeMesh } from '../../bench/mesh/files.ts';
import { FORMS, type MeshOptions, planMesh } from '../../bench/mesh/plan.ts';
import { Changes } from '../../bench/scale/steps.ts';
import { LiveMesh } from '../../mesh/source/live-mesh.ts';

const OPTIONS: MeshOptions = { services: 40, proxies: 6, namespaces: 3, form: 'entries', seed: 7 };

const bytes = (options: MeshOptions): string => JSON.stringify([...meshFiles(planMesh(options))]);

describe('the mesh that is measured with', () => {
  for (const form of FORMS) {
    describe(`as ${form}`, () => {
      const options = { ...OPTIONS, form };

      it('is the same for the same options, and another for another seed', () => {
        assert.equal(bytes(options), bytes({ ...options }));
        assert.notEqual(bytes(options), bytes({ ...options, seed: 8 }));
      });

      it('begins with the same services when it is larger', () => {
        const [small, large] = [planMesh(options), planMesh({ ...options, services: 80 })];
        assert.deepEqual(large.services.slice(0, 40), small.services);
      });

      it('is admitted without a finding, with all its services, routes and proxies', () => {
        const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-mesh-'));
        try {
          writeMesh(folder, planMesh(options));
          const { snapshot, diagnostics } = new LiveMesh({ paths: [folder] }).scan(Date.now() + 60_000, 0);
          assert.deepEqual(diagnostics, []);
          assert.equal(snapshot?.services.length, 40);
          assert.equal(snapshot.virtualServices.length, 4);
          assert.equal(snapshot.destinationRules.length, 4);
          const pods = snapshot.workloads.flatMap(({ instances }) => instances.map(({ name }) => name));
          for (const { pod } of planMesh(options).proxies) assert.ok(pods.includes(pod), pod);
        } finally {
          rmSync(folder, { recursive: true, force: true });
        }
      });

      it('changes one file at a time, to what was never there', () => {
        const plan = planMesh(options);
        const before = new Map([...meshFiles(plan)].map(({ path, text }) => [path, text]));
        const changes = new Changes(plan);
        for (let number = 0; number < 50; number += 1) {
          const { file: route, host, weight } = changes.routeFile();
          assert.notEqual(route.text, before.get(route.path));
          assert.ok(before.has(route.path) && route.text.includes(host) && weight > 0 && weight < 100);
          const { file: endpoints, address } = changes.endpointFile();
          assert.notEqual(endpoints.text, before.get(endpoints.path));
          assert.ok(before.has(endpoints.path) && endpoints.text.includes(address));
        }
        const [service] = plan.services;
        assert.ok(service?.weight !== undefined);
        assert.equal(routesFile(service, service.weight).text, before.get(routesFile(service, 1).path));
        assert.equal(endpointsFile(plan, service).text, before.get(endpointsFile(plan, service).path));
      });
    });
  }
});
