import type { Mesh } from '../../audit/grants/usage.ts';
import type { Parsed } from '../../ca/identity/parsed.ts';
import { workloadsOf } from '../../mesh/model/endpoints.ts';
import { keyOf } from '../../mesh/model/object.ts';
import { loadMesh } from '../../mesh/source/mesh.ts';
import type { Destination } from '../../policy/access/world.ts';
import type { DiagnosticsFormat } from '../input/options.ts';
import { hasErrors, printDiagnostics } from '../input/print-diagnostics.ts';
import { destinationsIn, identitiesIn } from '../policy/destinations.ts';
import { fail } from './options.ts';

export interface MeshFlags {
  readonly filename?: readonly string[];
  readonly meshConfig?: string;
  readonly diagnostics: DiagnosticsFormat;
}

/** The configuration of `-f`, its diagnostics printed; "none" without one, undefined when it cannot be used. */
export function meshFor({ filename, meshConfig, diagnostics: form }: MeshFlags): Mesh | 'none' | undefined {
  if (filename === undefined) return 'none';
  const { snapshot, diagnostics } = loadMesh({ paths: filename, meshConfigFile: meshConfig });
  printDiagnostics(
    diagnostics.filter(({ severity }) => severity !== 'info'),
    form,
  );
  // A policy that was left out would make everything else look granted, or nothing.
  if (hasErrors(diagnostics))
    return fail(1, 'the configuration has errors, and an answer without what is wrong could mislead; see gatehouse validate');
  return { snapshot, destinations: destinationsIn(snapshot), identities: identitiesIn(snapshot) };
}

function listed(names: readonly string[]): string {
  return `${names.slice(0, 20).join(', ')}${names.length > 20 ? `, … (${names.length})` : ''}`;
}

/** Without a configuration a name is taken for that of a workload and of the Service before it. */
function byName(written: string): Parsed<readonly Destination[]> {
  const [namespace = '', name, more] = written.split('/');
  if (name === undefined || name === '' || namespace === '' || more !== undefined)
    return { ok: false, reason: `"${written}" is no NAMESPACE/NAME (with -f, a name alone is enough where only one has it)` };
  const hosts = [`${name}.${namespace}.svc.cluster.local`];
  return { ok: true, value: [{ name: written, namespace, labels: {}, ports: [], hosts }] };
}

/** What people mean by a name: a workload, or the workloads behind a Service; a name without namespace where only one has it. */
export function destinationsNamed(written: string, mesh: Mesh | undefined): Parsed<readonly Destination[]> {
  if (mesh === undefined) return byName(written);
  const is = (name: string): boolean => name === written || (!written.includes('/') && name.endsWith(`/${written}`));
  const found = mesh.destinations.filter(({ name }) => is(name));
  const services = mesh.snapshot.services.filter(({ meta, hostname }) => is(keyOf(meta)) || hostname === written);
  const behind = services.flatMap((service) => workloadsOf(mesh.snapshot, service).map(keyOf));
  const all = found.length > 0 ? found : mesh.destinations.filter(({ name }) => behind.includes(name));
  const namespaces = new Set(all.map(({ namespace }) => namespace));
  if (all.length === 0)
    return {
      ok: false,
      reason: `there is no workload or Service "${written}"; there are ${listed(mesh.destinations.map(({ name }) => name))}`,
    };
  if (namespaces.size > 1 && !written.includes('/'))
    return { ok: false, reason: `"${written}" is in several namespaces: ${listed(all.map(({ name }) => name))}` };
  return { ok: true, value: all };
}
