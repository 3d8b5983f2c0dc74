import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { installed } from '../input/installed.ts';
import type { CrdChoice } from '../../kubernetes/install/options.ts';
import type { KubernetesObject } from '../../kubernetes/install/object.ts';

/** Ours, written by hand, and those of Istio and the Gateway API, which the build takes from their modules and does not commit. */
const OWN = join('manifests', 'crds');
const OTHERS = join('gen', 'crds');

/** @throws MissingDefinitions, with what to do, where the build could not take them */
export function crdObjects(choice: CrdChoice): readonly KubernetesObject[] {
  if (choice === 'none') return [];
  const folders = choice === 'own' ? [OWN] : [OTHERS, OWN];
  return folders.flatMap((folder) => {
    const path = installed(folder);
    if (path === undefined)
      throw new MissingDefinitions(
        `${folder} is not there: npm run build takes the definitions of Istio and the Gateway API, with Go; --crds own does without them`,
      );
    return readdirSync(path)
      .filter((name) => name.endsWith('.yaml'))
      .sort()
      .flatMap((name) => parseAllDocuments(readFileSync(join(path, name), 'utf8')))
      .map((document): unknown => document.toJS())
      .filter(isDefinition);
  });
}

function isDefinition(value: unknown): value is KubernetesObject {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'CustomResourceDefinition';
}

export class MissingDefinitions extends Error {
  override readonly name = 'MissingDefinitions';
}
