// What a Deployment says of its container's environment. The model of the mesh has no use for it, so it is read here.
import { readFileSync, statSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { listFiles } from '../../mesh/source/files.ts';
import { isTemplated } from '../../mesh/model/templated-kinds.ts';
import { splitDocuments } from '../../mesh/source/split.ts';

/** A literal value, or a field of the pod (Kubernetes' downward API). */
export type EnvValue = { readonly value: string } | { readonly fieldPath: string };

/** The environment of the first container, by `namespace/deployment`. */
export type Environments = ReadonlyMap<string, ReadonlyMap<string, EnvValue>>;

const LARGEST_FILE = 4 * 1024 * 1024;

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function text(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

/** The environments that one YAML text declares. Whatever is wrong in it is left out: admission reports it. */
export function environmentsIn(content: string): Environments {
  const found = new Map<string, ReadonlyMap<string, EnvValue>>();
  for (const document of splitDocuments(content).flatMap(({ text: part }) => [...parseAllDocuments(part)])) {
    if (document.errors.length > 0) continue;
    const object = record(document.toJS({ maxAliasCount: 100 }));
    if (!isTemplated(text(object['kind']) ?? '')) continue;
    const meta = record(object['metadata']);
    const name = text(meta['name']);
    if (name === undefined) continue;
    const containers = record(record(record(object['spec'])['template'])['spec'])['containers'];
    const first = record(Array.isArray(containers) ? containers[0] : undefined);
    const env = new Map<string, EnvValue>();
    for (const entry of Array.isArray(first['env']) ? first['env'] : []) {
      const variable = record(entry);
      const key = text(variable['name']);
      if (key === undefined) continue;
      const fieldPath = text(record(record(variable['valueFrom'])['fieldRef'])['fieldPath']);
      if (fieldPath !== undefined) env.set(key, { fieldPath });
      else if (variable['valueFrom'] === undefined) env.set(key, { value: text(variable['value']) ?? '' });
    }
    found.set(`${text(meta['namespace']) ?? 'default'}/${name}`, env);
  }
  return found;
}

/** The environments that the configuration's files declare; files that cannot be read are left out. */
export function readEnvironments(paths: readonly string[]): Environments {
  const found = new Map<string, ReadonlyMap<string, EnvValue>>();
  for (const file of listFiles(paths).files) {
    try {
      if (statSync(file).size > LARGEST_FILE) continue;
      for (const [key, env] of environmentsIn(readFileSync(file, 'utf8'))) found.set(key, env);
    } catch {
      // A file that went away between listing and reading; the next change brings the rest.
    }
  }
  return found;
}
