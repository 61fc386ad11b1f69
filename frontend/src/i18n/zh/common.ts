/** 多个页面共用的词语：状态、时间、判断结果、出错提示。 */
import type { Texts } from "../texts";

export default {
  language: "语言",
  languageOfBrowser: "跟随浏览器",
  loading: "正在加载",
  tryAgain: "重试",
  close: "关闭",
  optional: "（选填）",
  copy: "复制",
  copied: "已复制",
  copyByHand: "请手动选择并复制",
  copyRefused: "这里不允许自动复制：请选中文本后手动复制。",
  never: "从未",
  justNow: "刚刚",
  duration: {
    seconds: "{{n}} 秒",
    minutes: "{{n}} 分钟",
    hours: "{{n}} 小时",
    days: "{{n}} 天",
    two: "{{big}} {{small}}",
  },
  verdict: {
    left: "A 更好",
    right: "B 更好",
    tie: "平手",
    none: "均不可接受",
  },
  speaker: {
    system: "系统",
    user: "用户",
    assistant: "助手",
  },
  text: {
    picture: "图片（未加载）",
    pictureOf: "图片（未加载）：{{alt}}",
    noAddress: "没有地址",
    table: "表格",
    done: "已完成",
    toDo: "待办",
  },
  unreachable: "无法连接服务器。请检查网络；你所做的一切都不会丢失。",
  unexplained: "服务器返回了 {{status}}，但没有说明原因。",
  adminsOnly: "此页面仅供管理员使用。如有需要，请联系管理员。",
} satisfies Texts["common"];
