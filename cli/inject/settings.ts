import { parse } from 'yaml';
import { type Parsed, parsed, refused } from '../../ca/identity/parsed.ts';
import { isObject, textAt } from '../../kubernetes/inject/json.ts';
import { settingsOfMeshConfig } from '../../kubernetes/inject/mesh-settings.ts';
import { instanceName } from '../../kubernetes/install/names.ts';
import { DEFAULTS } from '../../kubernetes/install/options.ts';
import { DEFAULT_SETTINGS, type InjectionSettings } from '../../kubernetes/inject/settings.ts';
import { settingsOfValues } from '../../kubernetes/inject/values.ts';
import { valuesIn } from '../../kubernetes/inject/values-document.ts';
import { readText } from '../../mesh/source/load.ts';

export interface InjectionSource {
  readonly values?: string | undefined;
  readonly meshConfig?: string | undefined;
  /** The ConfigMap with the mesh configuration, in place of a file. */
  readonly mesh?: unknown;
  readonly revision?: string | undefined;
  readonly image?: string | undefined;
  readonly controlPlane?: string | undefined;
}

/** The settings of an installation from its files and flags; flags count for more. */
export function injectionSettings(source: InjectionSource, given?: InjectionSettings): Parsed<InjectionSettings> {
  const { revision = DEFAULT_SETTINGS.revision } = source;
  // Where `gatehouse install` puts the control plane.
  const address = `${instanceName({ revision })}.${DEFAULTS.namespace}.svc:15012`;
  const base = given ?? { ...DEFAULT_SETTINGS, controlPlane: { ...DEFAULT_SETTINGS.controlPlane, address } };
  const revised = source.revision === undefined ? {} : { revision: source.revision };
  const document = source.values === undefined ? parsed(undefined) : yamlFile(source.values);
  if (!document.ok) return document;
  const values = valuesIn(document.value);
  if (!values.ok) return refused(`${source.values ?? ''} ${values.reason}`);
  const ofValues = settingsOfValues({ ...values.value, ...revised }, base);
  const mesh =
    source.mesh !== undefined
      ? parsed(source.mesh)
      : source.meshConfig === undefined
        ? parsed(undefined)
        : yamlFile(source.meshConfig);
  if (!mesh.ok) return mesh;
  const inner = meshConfigIn(mesh.value);
  if (inner === undefined) return refused(`${source.meshConfig ?? ''} is no MeshConfig`);
  const settings = settingsOfMeshConfig(inner, ofValues);
  return parsed({
    ...settings,
    ...(source.image === undefined ? {} : { proxyImage: source.image, captureImage: source.image }),
    ...(source.controlPlane === undefined ? {} : { controlPlane: { ...settings.controlPlane, address: source.controlPlane } }),
  });
}

/** A MeshConfig, or the ConfigMap around it. */
function meshConfigIn(value: unknown): Readonly<Record<string, never>> | ReturnType<typeof objectOf> {
  if (value === undefined || value === null) return {};
  const object = objectOf(value);
  const data = object !== undefined && textAt(object, 'kind') === 'ConfigMap' ? object['data'] : undefined;
  const text = isObject(data) ? textAt(data, 'mesh') : undefined;
  return text === undefined ? object : objectOf(parse(text, { maxAliasCount: 0 }));
}

function objectOf(value: unknown) {
  return isObject(value) ? value : undefined;
}

function yamlFile(file: string): Parsed<unknown> {
  const read = readText(file);
  if (!read.ok) return refused(`${file} ${read.reason} (${read.hint})`);
  try {
    const value: unknown = parse(read.text, { maxAliasCount: 0 });
    return parsed(value);
  } catch (error) {
    return refused(`${file} is no YAML: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)}`);
  }
}
