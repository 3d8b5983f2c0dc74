import { Option } from 'commander';

export type DiagnosticsFormat = 'text' | 'json';

/** `-f PATH`, which may be repeated; a file, a folder, or `-` for the standard input. */
export function filenameOption(): Option {
  return new Option('-f, --filename <path>', 'file or folder of Kubernetes YAML (repeatable; - is the standard input)').argParser(
    (path: string, before: readonly string[] | undefined) => [...(before ?? []), path],
  );
}

export function meshConfigOption(): Option {
  return new Option('--mesh-config <file>', "Istio's MeshConfig (trustDomain, rootNamespace, pathNormalization, ...)");
}

export function namespaceOption(): Option {
  return new Option('-n, --namespace <name>', 'namespace of objects that name none').default('default');
}

export function diagnosticsOption(): Option {
  return new Option('--diagnostics <format>', 'how diagnostics are written to stderr').choices(['text', 'json']).default('text');
}

/** The folder that `apply` and its companions change. */
export function dirOption(): Option {
  return new Option('--dir <folder>', 'folder that holds the configuration').env('GATEHOUSE_DIR').default('mesh');
}
