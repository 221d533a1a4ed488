/** `onepeace mcp`: a running service as tools of the Model Context Protocol, on stdin and stdout. */
import { readFileSync } from 'node:fs'
import { OnepeaceClient } from 'onepeace-client'
import { type ClientFlags, loadClientConfig } from '../config.ts'
import { AllowedFiles } from '../mcp/allowed-files.ts'
import { serveMcp } from '../mcp/server.ts'

export interface McpFlags extends ClientFlags {
  /** Folders whose files the tools may read. */
  allowDir?: string[] | undefined
}

/** Returns at once; the process lives until stdin ends. @throws ConfigError, FileRefusedError */
export async function mcp(flags: McpFlags): Promise<void> {
  const { url, apiKey } = loadClientConfig(flags)
  const files = await AllowedFiles.of(flags.allowDir ?? [])
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  serveMcp(new OnepeaceClient({ url, apiKey }), files, version)
}
