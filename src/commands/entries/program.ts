/** What concerns the program itself. */
import type { Command } from 'commander'
import type { CommandEntry } from './entry.ts'

export const PROGRAM_COMMANDS: readonly CommandEntry[] = [
  {
    area: 'This program',
    usage: 'completion <shell>',
    description: 'print a script that completes commands and flags in bash, zsh or fish',
    examples: [
      `completion bash >> ~/.bashrc`,
      `completion zsh >> ~/.zshrc`,
      `completion fish > ~/.config/fish/completions/onepeace.fish`,
    ],
    options: [],
    run: async (shell: string, _flags: never, command: Command) => {
      const { completion } = await import('../completion.ts')
      process.stdout.write(completion(shell, command.parent!))
    },
  },
]
