import { mergeConfig, type ViteUserConfig } from "vitest/config";
import { shared } from "../../vitest.shared.ts";

const config: ViteUserConfig = mergeConfig(shared, {
  // Tests mostly wait for real time, so more of them at once than there are processors.
  test: {
    name: "tarantool",
    maxWorkers: 3,
    sequence: { groupOrder: 4 },
    globalSetup: ["../../tools/services/setup-tarantool.ts"],
  },
});
export default config;
