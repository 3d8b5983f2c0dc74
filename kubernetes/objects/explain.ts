import { AccessError } from '../api/access.ts';
import { ApiError, Unreachable } from '../api/api-error.ts';
import { WrongState } from './change-objects.ts';

/** Why something could not be done, and what to do next. */
export interface Explained {
  readonly reason: string;
  readonly hint: string | undefined;
  /** Whatever else was to be sent would meet the same. */
  readonly ends: boolean;
}

export interface Asked {
  /** Of the API server. */
  readonly server: string;
  /** The kubeconfig's. */
  readonly context: string;
  readonly verb: 'get' | 'apply' | 'create' | 'replace' | 'delete';
  /** As `virtualservices.networking.istio.io`. */
  readonly resource: string;
  readonly namespace: string;
}

/** Undefined for what is no answer of a cluster. */
export function explain(error: unknown, asked: Asked): Explained | undefined {
  if (error instanceof WrongState) return { reason: error.message, hint: undefined, ends: false };
  if (error instanceof AccessError) return { reason: error.message, hint: undefined, ends: true };
  if (error instanceof Unreachable)
    return {
      reason: `the API server ${asked.server} was not reached: ${error.message}`,
      hint: `check that it runs, and that "${asked.context}" is the cluster that is meant; then give the command again`,
      ends: true,
    };
  return error instanceof ApiError ? ofAnswer(error, asked) : undefined;
}

function ofAnswer(error: ApiError, asked: Asked): Explained {
  const { status, message } = error;
  const found = (hint: string | undefined, ends = false): Explained => ({ reason: message, hint, ends });
  if (/failed calling webhook|failed to call webhook/.test(message))
    return found(
      'a webhook that the cluster asks does not answer: kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations',
    );
  if (/denied the request/.test(message)) return found('correct the object');
  switch (status) {
    case 401:
      return found(`the API server does not know you: log in again, or choose another --context than "${asked.context}"`, true);
    case 403:
      return found(ofForbidden(message, asked));
    case 404:
      return found(
        /namespaces? "[^"]*" not found/.test(message)
          ? `create the namespace first: kubectl create namespace ${asked.namespace}, or a Namespace in the input (with --dry-run it is not there yet)`
          : undefined,
      );
    case 409:
      return found(ofConflict(error));
    case 400:
      return found(/strict decoding error/.test(message) ? 'take the field out, or correct its name' : undefined);
    case 413:
      return found('an object may have at most 1.5 MiB: split it');
    case 422:
      return found('correct the object');
    case 429:
    case 503:
      return found('the API server is overloaded, or starting: try again later', true);
    default:
      return found(undefined, status >= 500);
  }
}

function ofForbidden(message: string, { verb, resource, namespace }: Asked): string | undefined {
  if (/being terminated/.test(message)) return 'the namespace is being deleted: wait until it is gone, and create it anew';
  if (!/ cannot \w+ resource /.test(message)) return undefined;
  const verbs = {
    get: ['get', 'list'],
    apply: ['get', 'create', 'patch'],
    create: ['create'],
    replace: ['get', 'update'],
    delete: ['get', 'delete'],
  };
  const where = namespace === '' ? '' : ` -n ${namespace}`;
  return `ask for a Role with the verbs ${verbs[verb].join(', ')} on ${resource}; see kubectl auth can-i --list${where}`;
}

function ofConflict({ message, reason }: ApiError): string | undefined {
  if (/conflict with "/.test(message))
    return 'whoever is named wrote these fields: leave them out of the file, or take them over with --force-conflicts';
  if (reason === 'Conflict')
    return 'it was changed meanwhile: read it again (gatehouse get -o yaml), or take resourceVersion out of the file';
  return undefined;
}
