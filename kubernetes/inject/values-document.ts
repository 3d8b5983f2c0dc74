import { parse } from 'yaml';
import { type Parsed, parsed, refused } from '../../ca/identity/parsed.ts';
import { isObject, type JsonObject, objectAt, textAt } from './json.ts';

/**
 * Helm values in the forms in which people have them: the values themselves, an IstioOperator (`spec.values`), or the ConfigMap `istio-sidecar-injector` of a
 * running installation (`data.values`). Templates of their own are parsed; those in Go's template language are refused.
 */
export function valuesIn(document: unknown): Parsed<JsonObject> {
  if (document === null || document === undefined) return parsed({});
  if (!isObject(document)) return refused('is no mapping');
  const kind = textAt(document, 'kind');
  if (kind === 'IstioOperator') return withTemplates(objectAt(objectAt(document, 'spec'), 'values'));
  if (kind !== 'ConfigMap') return withTemplates(document);
  const text = textAt(objectAt(document, 'data'), 'values');
  if (text === undefined) return refused('is a ConfigMap without data.values');
  const inner = fromYaml(text);
  return inner === undefined ? refused('has data.values that are no mapping') : withTemplates(inner);
}

function fromYaml(text: string): JsonObject | undefined {
  try {
    const value: unknown = parse(text, { maxAliasCount: 0 });
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Templates are texts in Helm values; a template without anything to compute is a part of a pod. */
function withTemplates(values: JsonObject): Parsed<JsonObject> {
  const webhook = objectAt(values, 'sidecarInjectorWebhook');
  const templates: Record<string, JsonObject> = {};
  for (const [name, given] of Object.entries(objectAt(webhook, 'templates'))) {
    const text = typeof given === 'string' ? given : undefined;
    if (text?.includes('{{'))
      return refused(`has the template ${JSON.stringify(name)} in Go's template language: only plain parts of pods are taken`);
    const value = text === undefined ? given : fromYaml(text);
    if (!isObject(value)) return refused(`has the template ${JSON.stringify(name)}, which is no mapping`);
    templates[name] = value;
  }
  if (Object.keys(templates).length === 0) return parsed(values);
  return parsed({ ...values, sidecarInjectorWebhook: { ...webhook, templates } });
}
