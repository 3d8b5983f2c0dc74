import { LineCounter, parseAllDocuments, type Document } from 'yaml';
import { decide } from '../../kubernetes/inject/decide.ts';
import { asJson, inject } from '../../kubernetes/inject/inject.ts';
import { isObject, type JsonObject } from '../../kubernetes/inject/json.ts';
import { templatesIn, withTemplate } from '../../kubernetes/inject/objects.ts';
import type { InjectionSettings } from '../../kubernetes/inject/settings.ts';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import { readText, unreadable } from '../../mesh/source/load.ts';
import { edit } from './edit.ts';

/** One document of the input, with proxies where they belong. */
export interface InjectedDocument {
  readonly document: Document;
  readonly object: JsonObject;
}

export interface InjectedFiles {
  readonly documents: readonly InjectedDocument[];
  readonly diagnostics: readonly Diagnostic[];
  readonly injected: number;
}

/** Reads files and puts proxies into the pods of their objects. Objects without pods stay as they are. */
export function injectFiles(files: readonly string[], settings: InjectionSettings, defaultNamespace: string): InjectedFiles {
  const documents: InjectedDocument[] = [];
  const diagnostics: Diagnostic[] = [];
  let injected = 0;
  for (const file of files) {
    const read = readText(file);
    if (!read.ok) {
      diagnostics.push(unreadable(file, read.reason, read.hint));
      continue;
    }
    const lines = new LineCounter();
    for (const document of parseAllDocuments(read.text, { lineCounter: lines })) {
      const at = (offset: number): number => lines.linePos(offset).line;
      for (const { message, pos } of document.errors)
        diagnostics.push({
          file,
          line: at(pos[0]),
          severity: 'error',
          code: 'bad-yaml',
          message: message.split('\n')[0] ?? message,
        });
      if (document.errors.length > 0) continue;
      const value: unknown = document.toJS({ maxAliasCount: 100 });
      if (!isObject(value)) continue;
      const line = at(document.contents?.range?.[0] ?? 0);
      const outcome = injectObject(value, settings, defaultNamespace, (found) => diagnostics.push({ file, line, ...found }));
      if (outcome.count > 0) edit(document, outcome.object);
      injected += outcome.count;
      documents.push({ document, object: outcome.object });
    }
  }
  return { documents, diagnostics, injected };
}

type Finding = Omit<Diagnostic, 'file' | 'line'>;

function injectObject(
  value: JsonObject,
  settings: InjectionSettings,
  defaultNamespace: string,
  tell: (found: Finding) => void,
): { readonly object: JsonObject; readonly count: number } {
  let object = value;
  let count = 0;
  for (const { path, pod, owner, namespace } of templatesIn(value, defaultNamespace)) {
    const named = `${owner.kind} ${namespace}/${owner.name}`;
    const decision = decide(pod, namespace, settings);
    if (!decision.inject) {
      tell({ object: named, severity: 'info', code: 'not-injected', message: `left as it is: ${decision.reason}` });
      continue;
    }
    const outcome = inject({ pod, owner, namespace, namespaceAnnotations: {}, environment: {} }, settings);
    if (!outcome.ok) {
      tell({ object: named, severity: 'error', code: 'not-injectable', message: outcome.reason });
      continue;
    }
    object = withTemplate(object, path, asJson(outcome.pod));
    count += 1;
  }
  return { object, count };
}

/** Where several documents become one: what `kubectl apply -f -` takes as JSON. */
export function asList(objects: readonly JsonObject[]): JsonObject {
  const [only] = objects;
  return objects.length === 1 && only !== undefined ? only : { apiVersion: 'v1', kind: 'List', items: [...objects] };
}

/** The documents one below the other, with the comments that they came with. */
export function asText(documents: readonly InjectedDocument[]): string {
  const texts = documents.map(({ document }) => document.toString({ lineWidth: 0, flowCollectionPadding: false }));
  return texts.map((text, index) => (index === 0 || text.startsWith('---') ? text : `---\n${text}`)).join('');
}
