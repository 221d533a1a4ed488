/** `onepeace mcp`: a running service as tools of the Model Context Protocol, on stdin and stdout. */
import { OnepeaceClient } from 'onepeace-client'
import { type ClientFlags, loadClientConfig } from '../config.ts'
import { AllowedFiles } from '../mcp/allowed-files.ts'
import { serveMcp } from '../mcp/server.ts'
import { versionOfProgram } from './version.ts'

export interface McpFlags extends ClientFlags {
  /** Folders whose files the tools may read. */
  allowDir?: string[] | undefined
}

/** Returns at once; the process lives until stdin ends. @throws ConfigError, FileRefusedError */
export async function mcp(flags: McpFlags): Promise<void> {
  const { url, apiKey } = loadClientConfig(flags)
  const files = await AllowedFiles.of(flags.allowDir ?? [])
  serveMcp(new OnepeaceClient({ url, apiKey }), files, versionOfProgram())
}
