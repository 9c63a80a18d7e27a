/** The options by which a command finds the installation that it is about, and the installation that they name. */
import { type Command, Option } from 'commander';
import type { Installation } from './installation.ts';
import { kubernetesInstallation } from './kubernetes.ts';
import { standaloneInstallation } from './standalone.ts';
import { addStateOptions, openState, type StateOptions } from './state-folder.ts';

export interface InstallationOptions extends Partial<StateOptions> {
  kubernetes?: boolean;
  kubeconfig?: string;
  context?: string;
  namespace?: string;
  allNamespaces?: boolean;
  config?: string;
}

/** `kubectl weir` knows of clusters alone, and takes the options that kubectl has. */
export const PLUGIN = 'kubectl weir';

export function addInstallationOptions(command: Command): Command {
  const isPlugin = command.parent?.name() === PLUGIN;
  const kubernetes = new Option('--kubernetes', 'ask the Kubernetes API, by your kubeconfig');
  if (!isPlugin) addStateOptions(command);
  return command
    .addOption(isPlugin ? kubernetes.default(true).hideHelp() : kubernetes)
    .option('--kubeconfig <file>', 'the kubeconfig (default: as kubectl has it)')
    .option('--context <name>', 'a context of the kubeconfig')
    .option('-n, --namespace <name>', 'only of this namespace')
    .option('-A, --all-namespaces', 'of all namespaces, not only of the kubeconfig’s');
}

export async function openInstallation(options: InstallationOptions): Promise<Installation> {
  const { kubernetes, kubeconfig, context, namespace } = options;
  if (kubernetes || kubeconfig !== undefined || context !== undefined) return kubernetesInstallation(options);
  const { state = '', operator } = options;
  const opened = await openState({ state, ...(operator !== undefined && { operator }) });
  return standaloneInstallation(opened, options.allNamespaces ? undefined : namespace);
}

/** Opens it for as long as the work takes. */
export async function withInstallation<T>(
  options: InstallationOptions,
  work: (installation: Installation) => Promise<T>,
): Promise<T> {
  const installation = await openInstallation(options);
  try {
    return await work(installation);
  } finally {
    await installation.close();
  }
}
