/** A failure that people meet, known by the words that its message has in any case. */
interface KnownFailure {
  /** The heading of its section in docs/troubleshooting.md. */
  id: string;
  says: RegExp;
}

/** The page that has a section for each. */
export const troubleshootingPage = 'docs/troubleshooting.md';

/**
 * In the order of the page. They are known by what they say and not by where they are thrown, since an error is wrapped, joined
 * with others and turned into a finding of doctor on its way to the person; a test holds each against the code.
 */
export const knownFailures: readonly KnownFailure[] = [
  // This machine.
  failure('docker-missing', /Docker is not installed, or not on the PATH|Docker was not found/),
  failure('docker-not-running', /Docker is installed but not running|Docker does not answer any more/),
  failure('docker-not-permitted', /This user may not use Docker/),
  failure('docker-host', /where DOCKER_HOST points|DOCKER_HOST points to/),
  failure('docker-odd', /Docker does not answer as expected|Docker does not answer: /),
  failure('docker-too-old', /Docker \S+ is too old/),
  failure('cgroup-v1', /Docker uses cgroup v1/),
  failure('memory', /Docker has .* of memory, the platform needs/),
  failure('disk', /free where Docker keeps its images .*, the platform needs/),
  failure(
    'disk-full',
    /no space left on device|A file could not be written|\.env could not be written|Standard (output|error) could not be written/,
  ),
  failure('inotify', /pods may fail with "too many open files"/),
  failure('ports-taken', /Port \S+ of 127\.0\.0\.1(, for \S+,)? is taken by/),
  failure('ports-privileged', /may not open port/),
  failure('tool-missing', /is needed: it .* could not be fetched/),
  failure('download-failed', /Could not download/),
  failure('git-missing', /git was not found|git is not installed|git \S+ is too old/),
  failure(
    'no-checkout',
    /is not a Git checkout|is no git repository with a commit|This Git repository has no commit yet/,
  ),
  failure('git-untrusted', /Git does not trust|git refuses to read this checkout/),
  failure(
    'clone-unfit',
    /has a colon in it|borrows objects from another one|This is a shallow clone|Git can't read the commit that is checked out/,
  ),
  failure(
    'setting-wrong',
    /[A-Z]+_[A-Z_]+ must (be|differ)|is not of the form NAME=value|: there is no setting |is already set on line|starts with is not closed/,
  ),
  failure('no-home', /has no home folder/),
  failure('clock', /by the clock of this machine|the clock of this machine says/),
  failure('authority', /local certificate authority can't be kept|who could pretend to be any of your local servers/),
  // The cluster.
  failure('no-cluster', /There is no cluster|There is no kubeconfig for the cluster/),
  failure('cluster-of-another', /was not made by platform-ops|was made from another checkout/),
  failure('cluster-ports', /publishes the ports .*, the settings say/),
  failure('cluster-not-created', /kind could not create the cluster/),
  failure('cluster-half-created', /is half created/),
  failure('node-stopped', /somebody stopped the cluster meanwhile|so nobody can say what is in it/),
  failure(
    'node-not-started',
    /stopped node container .* could not be started|can't be asked whether it is finished|kind can't tell the kubeconfig/,
  ),
  failure('not-removed', /Docker could not remove|Could not be removed: /),
  failure('finalizers', /and nothing can be installed over it/),
  failure('another-command', / is working on /),
  failure('api-server-silent', /API server at \S+ does not answer|The cluster \S+ does not answer/),
  failure('api-server-refuses', /the API server answered /),
  failure('not-applied', /Could not be applied: /),
  failure('node-out-of-memory', /were killed for want of memory/),
  failure('kubeconfig-left', /was left as it is: /),
  // A cluster that is there.
  failure('target-no-repository', /TARGET_CONTEXT=\S+ needs GITOPS_REPO_URL/),
  failure('target-no-context', /of TARGET_CONTEXT can't be taken from/),
  failure(
    'target-login',
    /logs in by a way that is not known here|by which this context logs in, gave no login|The token of this context could not be read|is not to be checked, says its kubeconfig|through a proxy, which is not done here/,
  ),
  failure('target-not-agreed', /Nobody has agreed yet|Nothing was changed in the cluster of the context/),
  failure('target-rights', /may not do everything in its cluster/),
  failure('target-strangers', /that platform-ops did not install|that are not its own/),
  failure('target-images', /and stand-ins can't be put into its nodes/),
  failure('target-other-repository', /The platform in the cluster of the context .* follows/),
  failure('target-absent', /The platform is not in the cluster of the context/),
  failure('target-not-for', /is not for the cluster of the context/),
  // Images and pods.
  failure('image-not-pulled', /could not be pulled from|did not come from .* within|ErrImagePull|ImagePullBackOff/),
  failure('image-not-copied', /could not be copied into the node/),
  failure('stand-in-not-built', /The stand-in for .* could not be built/),
  failure('pod-crashes', /CrashLoopBackOff|RunContainerError|CreateContainerError|StartError/),
  failure('pod-config-missing', /CreateContainerConfigError/),
  failure('pod-unschedulable', /Unschedulable/),
  failure('pod-evicted', /: Evicted/),
  failure('pod-out-of-memory', /OOMKilled/),
  // Commits and Argo CD.
  failure('render-error', /Argo CD can't render|can't be rendered/),
  failure(
    'values-invalid',
    /names no image\.repository|that YAML does not read as a text|is not valid YAML|name no host for its Ingress/,
  ),
  failure('not-synced', /could not be synced at/),
  failure('not-pushed', /is not pushed yet|yet, so there is nothing to deploy/),
  failure('repository-private', /is private or does not exist|it lacks the scope repo/),
  failure('on-hold', /was put on hold elsewhere|was rolled back by/),
  failure('image-not-there', /GHCR has no |may not read \S+, or it does not exist/),
  failure('wrong-processor', /is built for .*, and the node needs/),
  failure(
    'checkout-busy',
    /There are staged changes|There are edits that are not committed|is under way in this checkout|HEAD is detached at/,
  ),
  failure('no-identity', /Git does not know who commits/),
  failure(
    'push-refused',
    /but not pushed to|and --push would take it along|has nowhere to be pushed to|could not be asked what is there/,
  ),
  failure('prometheus-refuses', /Prometheus would refuse/),
  failure('grafana-password', /Grafana refuses the password/),
  // Tokens.
  failure('token-unknown', /GitHub does not know this token/),
  failure('token-fine-grained', /This is a fine-grained token|is none that GHCR takes/),
  failure('token-scope', /This token may not read packages/),
  failure('token-sign-on', /demands single sign-on/),
  failure('token-no-access', /may not read these packages/),
  failure('token-garbled', /a blank or a line break inside the token|characters in it that no token of GitHub has/),
  failure('env-in-git', /\.env is in Git|Git does not ignore |Git can't tell whether it ignores /),
];

/** The known failures that a text tells of, in the order of the page. */
export function failuresIn(text: string): string[] {
  return knownFailures.filter(({ says }) => says.test(text)).map(({ id }) => id);
}

function failure(id: string, says: RegExp): KnownFailure {
  return { id, says };
}
