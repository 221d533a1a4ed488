/** The tools of `onepeace mcp`: what they take, what they are told to be good for. What they do is in `tools.ts`. */
import { type CallToolResult, McpServer, type ServerContext } from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import type { OnepeaceClient } from 'onepeace-client'
import { z } from 'zod'
import type { AllowedFiles } from './allowed-files.ts'
import { Tools } from './tools.ts'

const collection = z.string().describe('Name of a collection; `list_collections` tells those there are')
const itemId = z.string().describe('Id of an item of the collection')
const metadata = z.record(z.string(), z.unknown())

/** Serves the protocol on stdin and stdout until stdin ends. */
export function serveMcp(client: OnepeaceClient, files: AllowedFiles, version: string): void {
  serveStdio(() => mcpServer(client, files, version))
}

function mcpServer(client: OnepeaceClient, files: AllowedFiles, version: string): McpServer {
  const tools = new Tools(client, files)
  const server = new McpServer({ name: 'onepeace', version }, { instructions: INSTRUCTIONS })
  const file = z.string().describe(fileHint(files))
  const readOnly = { annotations: { readOnlyHint: true, openWorldHint: false } }
  server.registerTool(
    'list_collections',
    { description: 'Names and sizes of the collections that can be searched.', inputSchema: z.object({}), ...readOnly },
    told((_, options) => tools.listCollections(options)),
  )
  server.registerTool(
    'search',
    {
      description:
        'Finds texts, pictures and sounds in a collection by words, by a file, or by being like a stored item. Give exactly one of `query`, `file`, `item_id`. Scores are cosines, best first. Pictures found come as thumbnails.',
      inputSchema: z.object({
        collection,
        query: z.string().optional().describe('Words, e.g. what is seen or heard'),
        file: file.optional(),
        item_id: itemId.optional(),
        modalities: z
          .array(z.enum(['text', 'image', 'audio']))
          .min(1)
          .optional()
          .describe('Only these; all by default'),
        filter: metadata.optional().describe('Over metadata, e.g. {"must":[{"key":"year","range":{"gte":2024}}]}'),
        limit: z.number().int().min(1).max(50).default(5),
        thumbnails: z.boolean().default(true),
      }),
      ...readOnly,
    },
    told((input, options) => tools.search(input, options)),
  )
  server.registerTool(
    'embed',
    {
      description: 'Unit vectors of texts, or of one file, in one space: compare them by dot product.',
      inputSchema: z.object({ texts: z.array(z.string()).min(1).max(128).optional(), file: file.optional() }),
      ...readOnly,
    },
    told((input, options) => tools.embed(input, options)),
  )
  server.registerTool(
    'ground',
    {
      description:
        'Where in a picture phrases are: one box each, in pixels. The picture is a `file`, or the item `item_id` of `collection`.',
      inputSchema: z.object({
        file: file.optional(),
        collection: collection.optional(),
        item_id: itemId.optional(),
        phrases: z.array(z.string()).min(1).max(64),
      }),
      ...readOnly,
    },
    told((input, options) => tools.ground(input, options)),
  )
  server.registerTool(
    'add_item',
    {
      description: 'Keeps a text, or a picture or sound as `file`, in a collection, so that it can be searched.',
      inputSchema: z.object({
        collection,
        text: z.string().optional(),
        file: file.optional(),
        id: z.string().optional().describe('Made if absent; one that is taken is refused'),
        metadata: metadata.optional().describe('Any JSON object, to filter by later'),
      }),
      annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
    },
    told((input, options) => tools.addItem(input, options)),
  )
  return server
}

const INSTRUCTIONS =
  'onepeace keeps texts, pictures and sounds in one vector space: search any of them with any other. Begin with `list_collections`.'

function fileHint({ dirs }: AllowedFiles): string {
  return dirs.length === 0
    ? 'Not available: the user allowed no folder'
    : `Path of a picture or sound in ${dirs.join(' or ')}`
}

/** What goes wrong is told to the model, which can mend its request; nothing of it ends the server. */
function told<T>(tool: (input: T, options: { signal: AbortSignal }) => Promise<CallToolResult>) {
  return async (input: T, context: ServerContext): Promise<CallToolResult> => {
    try {
      return await tool(input, { signal: context.mcpReq.signal })
    } catch (error) {
      return { isError: true, content: [{ type: 'text', text: Tools.explain(error) }] }
    }
  }
}
